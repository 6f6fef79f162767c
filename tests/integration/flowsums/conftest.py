"""PostgreSQL for these tests."""

from __future__ import annotations

from mtd.testing.postgres import postgres_dsn, postgres_server

__all__ = ["postgres_dsn", "postgres_server"]
