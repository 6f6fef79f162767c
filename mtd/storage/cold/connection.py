"""A connection for workers: blocking, binary, with errors in our words."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import IsolationLevel, pq

from mtd.core.errors import Misconfigured, MtdError, Retryable
from mtd.storage.dsn import parse_dsn
from mtd.storage.errors import (
    Duplicate,
    PartitionMissing,
    SchemaTooOld,
    StatementRejected,
    StorageUnavailable,
    TooSlow,
)
from mtd.storage.roles import DatabaseRole, role_options, with_role_hint

_CONNECT_TIMEOUT_S = 10
_CANCEL_TIMEOUT_S = 1.0
_SLICE_S = 0.001
# A peer that vanished without a word is noticed within a minute, on both ends: until PostgreSQL
# notices, it keeps the locks of a worker.
_KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_SERVER_KEEPALIVES = {f"tcp_{name}": str(value) for name, value in _KEEPALIVES.items()}
_PARTITION = re.compile(r'_\d{6,10}"')
_HOPELESS = ("authentication failed", "does not exist", "permission denied to set role")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_POSTGRES_EPOCH_US = 946_684_800_000_000
"""PostgreSQL counts microseconds since 2000."""

Params = Sequence[Any] | Mapping[str, Any] | None


class Overtaken(Retryable):
    """Another transaction changed what this one wanted to change: the same again may succeed."""


class ColdConnection:
    """One connection; outside ``transaction`` each statement is a transaction of its own.

    With ``durable=False`` a commit doesn't wait for the disk: for work that is
    done again if it gets lost. ``role``: what it works as; None: as who logs in, the
    owner of the tables. Raises Misconfigured (can't log in) and StorageUnavailable.
    """

    def __init__(
        self,
        dsn: str,
        application_name: str = "mtd worker",
        *,
        durable: bool = True,
        statement_timeout_s: float = 0,
        role: DatabaseRole | None = None,
    ) -> None:
        parse_dsn(dsn)
        self._cancelled = False
        self._rests_at = 0.0
        self._cursors = itertools.count()
        with translated("connecting"):
            try:
                self._connection = psycopg.connect(
                    dsn,
                    autocommit=True,
                    connect_timeout=_CONNECT_TIMEOUT_S,
                    application_name=application_name,
                    **_options(dsn, role),
                    **_keepalives(dsn),
                )
            except psycopg.OperationalError as error:
                message = str(error).strip()
                if any(text in message for text in _HOPELESS):
                    raise Misconfigured(f"database.dsn: {with_role_hint(message)}") from None
                raise
        self._connection.isolation_level = IsolationLevel.REPEATABLE_READ
        self.execute("SELECT set_config('timezone', 'UTC', false)")
        self.execute("SELECT set_config('search_path', 'mtd,pg_temp', false)")
        for name, value in _SERVER_KEEPALIVES.items():
            self.execute("SELECT set_config(%s, %s, false)", [name, value])
        if not durable:
            self.execute("SELECT set_config('synchronous_commit', 'off', false)")
        if statement_timeout_s:
            self.execute(
                "SELECT set_config('statement_timeout', %s, false)", [str(int(statement_timeout_s * 1000))]
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; what is under way is rolled back."""
        self._connection.close()

    def cancel(self) -> None:
        """Ask the server to end the statement that another thread waits for, best effort; refuse further ones."""
        self._cancelled = True
        with suppress(psycopg.Error):
            self._connection.cancel_safe(timeout=_CANCEL_TIMEOUT_S)

    @property
    def cancelled(self) -> bool:
        """Whether ``cancel`` was called: it can't be used any more."""
        return self._cancelled

    def check(self) -> None:
        """Let other threads run if it's time, and raise StorageUnavailable if it was cancelled.

        For who computes long without a statement, in a process with a loop: asked for,
        the interpreter's lock would be given away only after 5 ms, and by each thread.
        """
        self._refuse_cancelled()
        if time.monotonic() >= self._rests_at:
            time.sleep(0)  # noqa: TID251 - blocks nobody: it gives the lock away
            self._rests_at = time.monotonic() + _SLICE_S

    def _refuse_cancelled(self) -> None:
        if self._cancelled:
            raise StorageUnavailable("nobody waits for the answer any more")

    @property
    def in_transaction(self) -> bool:
        """Whether statements belong to a ``transaction``."""
        return self._connection.info.transaction_status != pq.TransactionStatus.IDLE

    @property
    def broken(self) -> bool:
        """Whether it can't be used any more."""
        return bool(self._connection.closed or self._connection.broken)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run statements in one REPEATABLE READ transaction. Raises Overtaken where it must be tried again."""
        with translated("transaction"), self._connection.transaction():
            yield

    def execute(self, sql: str, params: Params = None) -> int:
        """Run a statement; return how many rows it gave or changed."""
        self._refuse_cancelled()
        with translated(_first_words(sql)):
            return self._connection.execute(sql, params).rowcount

    def fetch(self, sql: str, params: Params = None) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        self._refuse_cancelled()
        with translated(_first_words(sql)):
            return self._connection.execute(sql, params).fetchall()

    def fetch_raw(self, sql: str, params: Params = None) -> Iterator[list[bytes | None]]:
        """Yield the rows of a query as PostgreSQL sends them in its binary format."""
        self._refuse_cancelled()
        with translated(_first_words(sql)):
            result = self._connection.execute(sql, params, binary=True).pgresult
        assert result is not None
        columns = range(result.nfields)
        for row in range(result.ntuples):
            yield [result.get_value(row, column) for column in columns]

    def stream_raw(
        self, sql: str, params: Params = None, *, at_once: int = 100
    ) -> Iterator[list[bytes | None]]:
        """Yield the rows of a query as ``fetch_raw`` does, holding so many at a time. Only within ``transaction``."""
        name = f"rows_{next(self._cursors)}"
        self._refuse_cancelled()
        with translated(_first_words(sql)):
            # Never prepared: each has a name of its own.
            self._connection.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {sql}", params, prepare=False)
        count = at_once
        while count == at_once:
            self._refuse_cancelled()
            with translated(_first_words(sql)):
                result = self._connection.execute(
                    f"FETCH {at_once} FROM {name}", binary=True, prepare=False
                ).pgresult
            assert result is not None
            count = result.ntuples
            columns = range(result.nfields)
            for row in range(count):
                yield [result.get_value(row, column) for column in columns]
        # Who doesn't read to the end leaves it to the end of the transaction.
        self.execute(f"CLOSE {name}")

    def copy_out(self, sql: str, params: Params = None) -> Iterator[bytes]:
        """Yield what ``COPY ... TO STDOUT`` sends, a row at a time. ``params`` are written into the statement."""
        with (
            translated(_first_words(sql)),
            self._connection.cursor() as cursor,
            cursor.copy(sql, params) as copy,
        ):
            yield from copy  # type: ignore[misc]  # a buffer for each row

    def copy_in(self, sql: str, data: Iterable[bytes]) -> int:
        """Send data to ``COPY ... FROM STDIN``; return how many rows it became."""
        with translated(_first_words(sql)), self._connection.cursor() as cursor:
            with cursor.copy(sql) as copy:
                for part in data:
                    copy.write(part)
            return cursor.rowcount


def timestamp(us: int) -> dt.datetime:
    """Return a time in microseconds since the epoch as a parameter of a statement."""
    return _EPOCH + dt.timedelta(microseconds=us)


def to_postgres_us(us: int) -> int:
    """Return the binary timestamptz of microseconds since the epoch."""
    return us - _POSTGRES_EPOCH_US


def from_postgres_us(us: int) -> int:
    """Return the microseconds since the epoch of a binary timestamptz."""
    return us + _POSTGRES_EPOCH_US


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn errors of the driver into those of ``mtd.storage.errors``."""
    try:
        yield
    except psycopg.Error as error:
        raise _meaning(what, error) from error


def _meaning(what: str, error: psycopg.Error) -> MtdError:
    message = f"{what}: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
    code = error.sqlstate or ""
    if isinstance(error, psycopg.errors.UndefinedTable) and _PARTITION.search(message):
        return PartitionMissing(f"somebody dropped it meanwhile: {message}")
    if isinstance(
        error,
        psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn | psycopg.errors.InvalidSchemaName,
    ):
        return SchemaTooOld(f"the database lacks tables of mtd, run `mtd migrate`: {message}")
    if isinstance(error, psycopg.errors.UniqueViolation):
        return Duplicate(message, error.diag.constraint_name or "")
    if isinstance(error, psycopg.errors.QueryCanceled):
        return TooSlow(message)
    if code[:2] == "40":  # serialization failure, deadlock
        return Overtaken(message)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return StorageUnavailable(message)
    return StatementRejected(message, code, error.diag.constraint_name or "")


def _options(dsn: str, role: DatabaseRole | None) -> dict[str, Any]:
    """Return the options of a session that begins with a role, behind those of the operator."""
    if role is None:
        return {}
    return {"options": f"{parse_dsn(dsn).get('options', '')}{role_options(role)}".strip()}


def _keepalives(dsn: str) -> dict[str, Any]:
    """Return what isn't set by the operator."""
    return {name: value for name, value in _KEEPALIVES.items() if name not in parse_dsn(dsn)}


def _first_words(sql: str) -> str:
    return " ".join(sql.split()[:3])
