"""A PostgreSQL for Odoo: a role that may make databases, and databases copied from templates."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from mtd.storage.embedded import EmbeddedPostgres
from mtd.storage.embedded.databases import drop_database, execute
from mtd.testing.harness import free_port
from mtd.testing.postgres import quick_config, server_folder

ROLE = "odoo"
PASSWORD = "odoo"  # noqa: S105 - of a server that lives as long as the tests


class OdooPostgres:
    """A server of Odoo's, on one port however often it starts."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._server = EmbeddedPostgres(folder, quick_config(max_connections=150, port=self.port))

    def start(self) -> None:
        """Start it; the first time, with Odoo's role."""
        self._server.start_blocking()
        with psycopg.connect(self._server.dsn_of("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone():
                connection.execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{PASSWORD}'")

    def stop(self) -> None:
        """End it; its databases stay."""
        self._server.stop_blocking()

    @property
    def pid(self) -> int:
        """Return the process id of the server."""
        return self._server.pid

    @property
    def host(self) -> str:
        """Return where its socket is."""
        return str(psycopg.conninfo.conninfo_to_dict(self._server.dsn)["host"])

    def dsn(self, database: str) -> str:
        """Return how Odoo's role comes to a database."""
        return psycopg.conninfo.make_conninfo(
            host=self.host, port=self.port, user=ROLE, password=PASSWORD, dbname=database
        )

    def copy(self, template: str, name: str) -> None:
        """Make a database as a copy of another, which nobody may be using."""
        execute(self.dsn("postgres"), f'CREATE DATABASE "{name}" TEMPLATE "{template}"')

    def drop(self, name: str) -> None:
        """Remove a database; its sessions are cut."""
        drop_database(self._server.dsn_of("postgres"), name)

    def sql(self, database: str, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """Ask a database, as Odoo's role."""
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursor = connection.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def odoo_postgres() -> Iterator[OdooPostgres]:
    """Run a PostgreSQL of Odoo's."""
    with server_folder() as folder:
        server = OdooPostgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
