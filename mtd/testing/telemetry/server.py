"""The PostgreSQL of a bench: our own, on the disk, as the daemon runs it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from mtd.backfill.fleet import DevicePlan
from mtd.storage import schema
from mtd.storage.config import EmbeddedConfig
from mtd.storage.embedded import EmbeddedPostgres
from mtd.storage.embedded.databases import create_database
from mtd.testing.harness import usage_of

Connection = psycopg.Connection[tuple[Any, ...]]

_RELATIONS = (
    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::int8 FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = 'mtd' AND c.relkind = 'r' AND c.relname ~ %s"
)
HOT, BLOCKS = "^telemetry_frame_", "^telemetry_(block|axis)_"
ROLLUPS = "^rollup_(10s|1m|5m)_"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. ``dsn`` makes the connection string of a database."""

    postgres: EmbeddedPostgres
    _made: set[str] = field(default_factory=set)

    def dsn(self, database: str) -> str:
        """Return the connection string of a database, made with the schema if it isn't there."""
        dsn = self.postgres.dsn_of(database)
        if database not in self._made:
            create_database(self.postgres.dsn_of("postgres"), database)
            schema.migrate_blocking(dsn)
            self._made.add(database)
        return dsn

    def cpu_s(self) -> float:
        """Return the processor time that the server and all its processes have used."""
        return usage_of(self.postgres.pid).cpu_s


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """Run a server in a folder, or the one that was there before."""
    config = EmbeddedConfig(shared_buffers_mb=1024, max_wal_mb=4096)
    postgres = EmbeddedPostgres(folder / "postgres", config)
    postgres.start_blocking()
    try:
        yield Server(postgres)
    finally:
        postgres.stop_blocking()


def connect(dsn: str) -> Connection:
    """Return a connection that commits each statement, and has each planned for its own values."""
    connection = psycopg.connect(dsn, autocommit=True, prepare_threshold=None)
    connection.execute("SET search_path = mtd, public")
    connection.execute("SET timezone = 'UTC'")
    return connection


def one(connection: Connection, sql: str, params: Iterable[Any] = ()) -> Any:
    """Return the only value of the only row."""
    row = connection.execute(sql, tuple(params)).fetchone()
    assert row is not None
    return row[0]


def size_of(connection: Connection, pattern: str) -> int:
    """Return the bytes of tables, all in: heap, TOAST, indexes."""
    return int(one(connection, _RELATIONS, (pattern,)))


def wal_position(connection: Connection) -> int:
    """Return how many bytes of log were written since the server was made."""
    return int(one(connection, "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"))


def add_devices(connection: Connection, plans: Iterable[DevicePlan]) -> None:
    """Put devices into the inventory that nobody polls."""
    for plan in plans:
        connection.execute(
            "INSERT INTO mtd.device (tenant_id, device_id, name, host, port, username, tls_mode, enabled)"
            " VALUES (%s, %s, %s, '192.0.2.1', 8728, 'nobody', 'off', false) ON CONFLICT DO NOTHING",
            (plan.tenant_id, plan.device_id, plan.name),
        )


def machine() -> dict[str, Any]:
    """Return what the figures hold for."""
    return {"cores": os.cpu_count(), "load_1min": round(os.getloadavg()[0], 2)}
