"""The schema's version: migrate, and refuse what doesn't fit.

Blocking, on a connection of its own, so that the command line needs no reactor;
the daemon calls the async forms, which use a thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg2

from mtd.core.errors import Bug, Misconfigured, MtdError
from mtd.storage.dsn import parse_dsn
from mtd.storage.errors import SchemaTooNew, SchemaTooOld, StorageUnavailable

COMPATIBLE_VERSION = 23
"""Lowest version of this code that can work on a schema migrated by this code. Those before know of no traps among evidences."""

_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
# Any number will do, as long as it is ours: one migration at a time per database.
_ADVISORY_LOCK = 0x6D746400
_CONNECT_TIMEOUT_S = 10

Progress = Callable[[int, int, str], None]
"""Called with (migrations done, migrations due, name of the next) and at the end."""

_LOCK_TIMEOUT = "30s"
_GONE_AFTER_S = 60  # a hub that was killed isn't heard of for so long
_OLDEST_SERVER = 150_000  # PostgreSQL 15: views with the rights of who asks

_VERSION_TABLE = """
CREATE TABLE IF NOT EXISTS mtd.schema_version (
    version     int4 PRIMARY KEY,
    name        text NOT NULL,
    compatible  int4 NOT NULL,  -- lowest version of mtd's code that can use it
    sha256      text NOT NULL,  -- of the file as it was applied
    applied_at  timestamptz NOT NULL DEFAULT now(),
    tenant_id   uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000'  -- of no tenant
)
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Digest of the file: a released migration is never edited."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where a database stands. ``version`` is 0 for an empty one."""

    version: int
    compatible: int
    digests: dict[int, str]


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What a migration did."""

    before: int
    after: int
    applied: tuple[str, ...]


def migrations() -> list[Migration]:
    """Return the migrations that come with this mtd, in order."""
    found = []
    for entry in files("mtd.storage.migrations").iterdir():
        named = _NAME.fullmatch(entry.name)
        if named is not None:
            found.append(Migration(int(named[1]), named[2], entry.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise Bug("the migrations are not numbered 1, 2, 3, ...")
    return found


def migrate_blocking(
    dsn: str, progress: Progress | None = None, steps: Sequence[Migration] | None = None
) -> MigrationReport:
    """Bring the database to this mtd's schema: all of it or nothing.

    Raises SchemaTooNew, Misconfigured (can't log in) and StorageUnavailable.
    """
    known = list(steps) if steps is not None else migrations()
    connection = connect_blocking(dsn)
    try:
        with connection, connection.cursor() as cursor:
            _refuse_old_server(connection.server_version)
            # Held until the end of the transaction: a second migration waits, then finds nothing due.
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_ADVISORY_LOCK,))
            # Statements queue behind one that waits for a lock: rather come again.
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK_TIMEOUT,))
            _make_version_table(cursor)
            state = _read_state(cursor)
            _refuse_misfit(state, known)
            due = [step for step in known if step.version > state.version]
            if due and state.version < COMPATIBLE_VERSION <= due[-1].version:
                _wait_for_hubs(cursor)
            for done, step in enumerate(due):
                if progress is not None:
                    progress(done, len(due), step.name)
                _apply(cursor, step)
            if progress is not None:
                progress(len(due), len(due), "")
        after = due[-1].version if due else state.version
        return MigrationReport(state.version, after, tuple(step.name for step in due))
    except psycopg2.Error as error:
        raise _translated("migration", error) from error
    finally:
        connection.close()


def check_blocking(dsn: str) -> SchemaState:
    """Return the state of a schema that this mtd can use as it is.

    Raises SchemaTooOld, SchemaTooNew, Misconfigured and StorageUnavailable.
    """
    connection = connect_blocking(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('mtd.schema_version') IS NOT NULL")
            exists = bool(cursor.fetchone()[0])
            state = _read_state(cursor) if exists else SchemaState(0, 0, {})
    except psycopg2.Error as error:
        raise _translated("reading the schema's version", error) from error
    finally:
        connection.close()
    known = migrations()
    _refuse_misfit(state, known)
    if state.version < len(known):
        raise SchemaTooOld(
            f"the database has schema {state.version}, this mtd needs {len(known)}: run `mtd migrate`"
        )
    return state


async def migrate(dsn: str, progress: Progress | None = None) -> MigrationReport:
    """Do as ``migrate_blocking`` does, in a thread (``progress`` is called there)."""
    return await asyncio.to_thread(migrate_blocking, dsn, progress)


async def check(dsn: str) -> SchemaState:
    """Do as ``check_blocking`` does, in a thread."""
    return await asyncio.to_thread(check_blocking, dsn)


def connect_blocking(dsn: str, application_name: str = "mtd migrate") -> Any:
    """Return a connection of psycopg2. Raises Misconfigured (can't log in) and StorageUnavailable."""
    parse_dsn(dsn)
    try:
        return psycopg2.connect(dsn, connect_timeout=_CONNECT_TIMEOUT_S, application_name=application_name)
    except psycopg2.OperationalError as error:
        message = str(error).strip()
        if "authentication failed" in message or "does not exist" in message:
            raise Misconfigured(f"database.dsn: {message}") from None
        raise StorageUnavailable(f"can't connect to PostgreSQL: {message}") from None


def _translated(what: str, error: psycopg2.Error) -> MtdError:
    message = f"{what}: {str(error).strip()}"
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return StorageUnavailable(message)
    return Misconfigured(message)


def _refuse_old_server(version: int) -> None:
    if version < _OLDEST_SERVER:
        raise Misconfigured(
            f"the PostgreSQL of database.dsn is version {version // 10_000}, mtd needs {_OLDEST_SERVER // 10_000} or newer"
        )


def _wait_for_hubs(cursor: Any) -> None:
    """Refuse for now what hubs that are at work can't use. Raises StorageUnavailable: it can be done when they have ended."""
    cursor.execute("SELECT to_regclass('mtd.hub_log') IS NOT NULL")
    if not cursor.fetchone()[0]:
        return
    cursor.execute(
        "SELECT count(*) FROM mtd.hub_log WHERE seen_at > now() - %s * interval '1 second'", (_GONE_AFTER_S,)
    )
    (hubs,) = cursor.fetchone()
    if hubs:
        raise StorageUnavailable(
            f"{hubs} hubs of an older mtd work on this database, which can't use the schema of this one: stop them,"
            f" one that was killed counts for {_GONE_AFTER_S} s"
        )


def _make_version_table(cursor: Any) -> None:
    # Looked for first: IF NOT EXISTS asks for the right to create even where there is nothing to do.
    cursor.execute("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'mtd')")
    if not cursor.fetchone()[0]:
        cursor.execute("CREATE SCHEMA mtd")
    cursor.execute("SELECT to_regclass('mtd.schema_version') IS NOT NULL")
    if not cursor.fetchone()[0]:
        cursor.execute(_VERSION_TABLE)


def _read_state(cursor: Any) -> SchemaState:
    cursor.execute("SELECT version, compatible, sha256 FROM mtd.schema_version ORDER BY version")
    rows = cursor.fetchall()
    if not rows:
        return SchemaState(0, 0, {})
    return SchemaState(rows[-1][0], rows[-1][1], {version: digest for version, _, digest in rows})


def _refuse_misfit(state: SchemaState, known: Sequence[Migration]) -> None:
    newest = known[-1].version
    if state.version > newest and state.compatible > newest:
        raise SchemaTooNew(
            f"the database has schema {state.version}, which needs an mtd with schema {state.compatible} or newer; "
            f"this one has {newest}: upgrade mtd, or restore the backup from before the upgrade"
        )
    for step in known:
        applied = state.digests.get(step.version)
        if applied is not None and applied != step.sha256:
            raise Misconfigured(
                f"migration {step.version:04d}_{step.name} was changed after it was applied to this database: "
                "use a released mtd, or a new database"
            )


def _apply(cursor: Any, step: Migration) -> None:
    try:
        cursor.execute(step.sql)
    except psycopg2.OperationalError:
        raise
    except psycopg2.Error as error:
        raise Misconfigured(
            f"migration {step.version:04d}_{step.name} failed, nothing was changed: {str(error).strip()}"
        ) from error
    cursor.execute(
        "INSERT INTO mtd.schema_version (version, name, compatible, sha256) VALUES (%s, %s, %s, %s)",
        (step.version, step.name, COMPATIBLE_VERSION, step.sha256),
    )
