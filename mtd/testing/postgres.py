"""pytest fixtures: a PostgreSQL from the wheel per run, a fresh migrated database per test.

Use with ``pytest_plugins = ["mtd.testing.postgres"]`` in the top conftest, or
import the fixtures into one. Works as root and as an ordinary user.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mtd.storage import schema
from mtd.storage.config import EmbeddedConfig
from mtd.storage.embedded import EmbeddedPostgres
from mtd.storage.embedded.databases import create_database, drop_database

_TEMPLATE = "mtd_template"
_MEMORY_NEEDED_BYTES = 2 * 1024**3
_numbers = itertools.count(1)


@contextmanager
def server_folder() -> Iterator[Path]:
    """Give a folder for a server, short enough for a socket, that another user can enter.

    pytest's own folders can't be entered by the user that PostgreSQL runs as
    when the tests run as root.
    """
    folder = Path(tempfile.mkdtemp(prefix="mtd-pg-", dir=_memory_folder()))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory_folder() -> str | None:
    """Return a folder in memory where there is room: each database is a thousand files. None: the usual one."""
    shared = Path("/dev/shm")  # noqa: S108 - the folder made there is our own
    if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > _MEMORY_NEEDED_BYTES:
        return str(shared)
    return None


def quick_config(**settings: object) -> EmbeddedConfig:
    """Return the settings of a server for tests: small, and not waiting for the disk."""
    return EmbeddedConfig.model_validate({"durable": False, "shared_buffers_mb": 64, **settings})


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL of this run, with a template that holds the schema."""
    with server_folder() as folder:
        server = EmbeddedPostgres(folder, quick_config(max_connections=150))  # two daemons, at times
        server.start_blocking()
        try:
            create_database(server.dsn_of("postgres"), _TEMPLATE)
            schema.migrate_blocking(server.dsn_of(_TEMPLATE))
            yield server
        finally:
            server.stop_blocking()


@pytest.fixture
def postgres_dsn(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """Connection string of a fresh database with the schema in it."""
    yield from _database(postgres_server, _TEMPLATE)


@pytest.fixture
def empty_postgres_dsn(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """Connection string of a fresh database with nothing in it."""
    yield from _database(postgres_server, "template1")


def _database(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = server.dsn_of("postgres")
    create_database(admin, name, template)
    try:
        yield server.dsn_of(name)
    finally:
        drop_database(admin, name)
