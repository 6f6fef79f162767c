"""The audit log for programs without a reactor: commands that work on the database or on keys directly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

from mtd.core.clock import SYSTEM_CLOCK
from mtd.model.audit import AuditEntry
from mtd.security.audit_chain import Deed, Head, Link, chained, clean
from mtd.storage import audit_sql as sql
from mtd.storage.errors import SchemaTooOld, StatementRejected, StorageUnavailable
from mtd.storage.schema import connect_blocking

_NAME = "mtd audit"
_ROWS_AT_ONCE = 1000


def audit_blocking(dsn: str, *entries: AuditEntry) -> None:
    """Write entries to the audit log; they are durable when it returns.

    Raises SchemaTooOld for a database without an audit log, Misconfigured and StorageUnavailable.
    """
    now_us = SYSTEM_CLOCK.now_us()
    append_blocking(dsn, [Deed(clean(entry), now_us) for entry in entries])


def append_blocking(dsn: str, deeds: list[Deed]) -> list[Link]:
    """Append deeds to the chain, in their order; those that are stored already are left out."""
    with _connected(dsn) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql.LOCK_HEAD)
        head = sql.head_of(cursor.fetchone())
        cursor.execute(sql.KNOWN, (sql.ids(deeds),))
        links = chained(head, sql.fresh(deeds, cursor.fetchall()))
        if links:
            cursor.execute(sql.APPEND, sql.append_params(links))
            cursor.execute(sql.MOVE_HEAD, (links[-1].position, links[-1].hash))
    return links


class ChainReader:
    """Reads the whole chain as it was at one moment. Use it as a context manager."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        with connection.cursor() as cursor:
            cursor.execute(sql.READ_HEAD)
            self.head: Head = sql.head_of(cursor.fetchone())
            cursor.execute(sql.READ_CHECKPOINT)
            row = cursor.fetchone()
        self.checkpoint: Head | None = None if row is None else Head(int(row[0]), bytes(row[1]))
        """The last entry that was removed because its time was over."""
        self.told_by = 0 if row is None else int(row[2])
        """The entry that tells of that removal."""

    def entries(self) -> Iterator[Link]:
        """Yield all entries in the order of their positions."""
        with self._connection.cursor(name="audit_entries") as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            cursor.execute(f"SELECT {sql.COLUMNS} FROM mtd.audit_entry ORDER BY position")
            for row in cursor:
                yield sql.link_of(row)


@contextmanager
def chain_reader(dsn: str) -> Iterator[ChainReader]:
    """Give a reader of the chain. Raises SchemaTooOld, Misconfigured and StorageUnavailable."""
    with _connected(dsn) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        yield ChainReader(connection)


@contextmanager
def _connected(dsn: str) -> Iterator[Any]:
    connection = connect_blocking(dsn, _NAME)
    try:
        yield connection
    except psycopg2.errors.UndefinedTable:
        raise SchemaTooOld("the database has no audit log yet: run `mtd migrate`") from None
    except psycopg2.OperationalError as error:
        raise StorageUnavailable(f"the audit log: {str(error).strip()}") from error
    except psycopg2.Error as error:
        raise StatementRejected(f"the audit log: {str(error).strip()}") from error
    finally:
        connection.close()
