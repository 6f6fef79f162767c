"""One transaction, and what the errors of the driver mean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import psycopg2
import psycopg2.extensions
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from mtd.core.errors import Bug, MtdError, Retryable
from mtd.storage.errors import CommitUnknown, Duplicate, StatementRejected, StorageUnavailable

Row = tuple[Any, ...]

_UNIQUE_VIOLATION = "23505"
# Classes of SQLSTATE: the state of the server, not the statement, is the cause.
_TRANSIENT_CLASSES = frozenset({"08", "40", "53", "55", "57", "58"})


async def settled(deferred: Deferred[Any]) -> Any:
    """Wait for a Deferred of txpostgres, without passing a cancellation on to it.

    Cancelling it would make libpq connect anew, on the loop's thread, to ask
    the server to stop. Who is cancelled closes the connection instead.
    """
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def succeed(result: Any) -> None:
        if not future.done():
            future.set_result(result)

    def fail(failure: Failure) -> None:
        if future.done():
            return
        if failure.check(CancelledError):
            # So txpostgres calls it when the server ended a statement, here by its timeout: we cancel none.
            future.set_exception(StorageUnavailable("the server ended a statement that took too long"))
        else:
            future.set_exception(failure.value or RuntimeError("a Deferred failed without a reason"))

    deferred.addCallbacks(succeed, fail)
    return await future


class Transaction:
    """Statements of one transaction. Not to be kept when the transaction is over."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    async def execute(self, sql: str, params: Sequence[Any] | dict[str, Any] | None = None) -> None:
        """Run a statement; ``%s`` or ``%(name)s`` stand for the parameters.

        Raises StatementRejected and Duplicate for what PostgreSQL refuses,
        Broken (which ``Database.run`` handles) for what isn't the statement's fault.
        """
        try:
            await settled(self._cursor.execute(sql, params))
        except psycopg2.Error as error:
            raise translate(error, closed=bool(self._cursor.connection.closed)) from error
        except ValueError as error:
            raise StatementRejected(f"a text can't be stored: {error}") from error  # NUL, or half a character

    def fetchall(self) -> list[Row]:
        """Return all rows of the last statement."""
        rows: list[Row] = self._fetched(self._cursor.fetchall)
        return rows

    def fetchmany(self, count: int) -> list[Row]:
        """Return the next rows of the last statement, so many at most; none when it has no more."""
        rows: list[Row] = self._fetched(self._cursor.fetchmany, count)
        return rows

    def fetchone(self) -> Row | None:
        """Return the next row of the last statement; None if there is none."""
        row: Row | None = self._fetched(self._cursor.fetchone)
        return row

    @staticmethod
    def _fetched(fetch: Callable[..., Any], *args: Any) -> Any:
        """Return rows that have come. A connection that broke since then took its cursors with it."""
        try:
            return fetch(*args)
        except psycopg2.InterfaceError as error:
            raise Broken(error, connection_lost=True) from error

    @property
    def rowcount(self) -> int:
        """How many rows the last statement gave or changed."""
        return int(self._cursor.rowcount)


class Broken(Retryable):
    """A transaction failed for a reason of the server or the connection; it may be tried again.

    ``connection_lost`` tells whether the connection is still good.
    """

    def __init__(self, cause: BaseException, *, connection_lost: bool) -> None:
        super().__init__(str(cause).strip() or type(cause).__name__)
        self.connection_lost = connection_lost


async def run_once(connection: Any, begin: str, begin_params: Sequence[Any], body: Any) -> Any:
    """Run one transaction on one connection.

    Raises Broken where trying again makes sense, CommitUnknown, StatementRejected
    or Duplicate for what PostgreSQL refuses, and whatever the body raises.
    """
    cursor = connection.cursor()
    tx = Transaction(cursor)
    try:
        await tx.execute(begin, begin_params)
        result = await body(tx)
    except Exception:
        if not connection.closed:
            await _rollback(cursor)
        raise
    await _commit(connection, cursor)
    return result


async def _commit(connection: Any, cursor: Any) -> None:
    try:
        await settled(cursor.execute("COMMIT"))
    except psycopg2.Error as error:
        if connection.closed or error.pgcode is None:
            raise CommitUnknown(f"connection lost during the commit: {str(error).strip()}") from error
        raise translate(error, closed=False) from error


async def _rollback(cursor: Any) -> None:
    try:
        await settled(cursor.execute("ROLLBACK"))
    except psycopg2.Error as error:
        raise Broken(error, connection_lost=True) from error


def translate(error: psycopg2.Error, *, closed: bool) -> MtdError:
    """Return what an error of the driver means for the caller."""
    code = error.pgcode or ""
    message = (str(error).strip() or type(error).__name__).splitlines()[0]
    if code == _UNIQUE_VIOLATION:
        return Duplicate(message, getattr(error.diag, "constraint_name", None) or "")
    if closed or not code or code[:2] in _TRANSIENT_CLASSES:
        if isinstance(error, psycopg2.ProgrammingError) and not closed:
            return Bug(f"wrong use of the driver: {message}")  # a parameter that it can't adapt
        if isinstance(error, psycopg2.DataError):
            return StatementRejected(message)  # refused by the driver itself, such as a NUL in a text
        return Broken(error, connection_lost=closed or not code or code[:2] in ("08", "57"))
    return StatementRejected(message, code, getattr(error.diag, "constraint_name", None) or "")
