"""PostgreSQL for these tests."""

from __future__ import annotations

from mtd.testing.postgres import empty_postgres_dsn, postgres_server

__all__ = ["empty_postgres_dsn", "postgres_server"]
