"""Threads that read PostgreSQL in its binary format, each on a connection of its own.

What reads much, and takes it apart with NumPy, does so here and not on the
loop: ``mtd.storage.pool`` has no binary results, and would hold the loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.storage import metrics
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.config import StorageConfig
from mtd.storage.errors import StorageUnavailable, TooSlow
from mtd.storage.roles import DatabaseRole

T = TypeVar("T")

_ENDS_WITHIN_S = 5.0


class _Reading:
    """One run: the connection that it has now, and whether somebody still waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: ColdConnection | None = None
        self._ended = False

    @contextmanager
    def on(self, connection: ColdConnection) -> Iterator[None]:
        """Have a connection for a while."""
        with self._lock:
            if self._ended:
                raise StorageUnavailable("nobody waits for the answer any more")
            self._connection = connection
        try:
            yield
        finally:
            with self._lock:
                self._connection = None

    def end(self) -> None:
        """End it: its statement now, what it computes at the next check."""
        with self._lock:
            self._ended = True
            # Within the lock: the connection can't go to another run meanwhile.
            if self._connection is not None:
                self._connection.cancel()


class Readers:
    """Runs named reading transactions of one tenant each in threads, at most ``query_pool_size`` at a time; others wait.

    Connects when it is first asked. Nothing is kept of a connection that broke.
    """

    def __init__(self, dsn: str, config: StorageConfig | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._dsn = dsn
        self._config = config or StorageConfig()
        self._clock = clock
        self._threads = ThreadPoolExecutor(self._config.query_pool_size, thread_name_prefix="mtd-reader")
        self._lock = threading.Lock()
        self._idle: list[ColdConnection] = []
        self._busy: set[ColdConnection] = set()
        self._stopped = False

    def __repr__(self) -> str:
        return f"Readers({len(self._idle)} idle)"  # never the DSN: it holds the password

    async def stop(self) -> None:
        """Close the connections; what is being read is ended."""
        with self._lock:
            self._stopped = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for connection in idle:
            connection.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        for connection in busy:
            await asyncio.to_thread(connection.cancel)

    async def run(self, name: str, body: Callable[[ColdConnection], T], *, tenant: str) -> T:
        """Run a transaction on one snapshot of the database, in a thread; a second time if a connection was lost.

        Raises TooSlow when the deadline or a statement's timeout passes,
        StorageUnavailable, and whatever ``body`` raises. Whatever is raised, the
        thread has ended then: also for who is cancelled, its statement is ended,
        and so is ``body`` at its next statement or ``check``.
        """
        started = self._clock.monotonic()
        limit_s = self._config.transaction_deadline_s
        reading = _Reading()
        try:
            thread = self._threads.submit(self._read, reading, tenant, body)
        except RuntimeError as error:
            if self._stopped:
                raise StorageUnavailable("the database was stopped") from error
            raise
        waiting = asyncio.wrap_future(thread)
        try:
            async with asyncio.timeout(limit_s):
                # Shielded, so that the thread is known to have ended when this is left.
                result = await asyncio.shield(waiting)
        except TimeoutError:
            await _end(reading, thread, waiting)
            metrics.TRANSACTION_FAILURES.labels(name=name, cause="deadline").inc()
            raise TooSlow(f"{name}: not done within {limit_s:g} s") from None
        except asyncio.CancelledError:
            if waiting.cancelled():  # by the stop: it never began
                raise StorageUnavailable("the database was stopped") from None
            await _end(reading, thread, waiting)
            raise
        except TooSlow as error:
            if self._stopped:
                raise StorageUnavailable("the database was stopped") from error
            raise
        metrics.TRANSACTION_SECONDS.labels(name=name).observe(self._clock.monotonic() - started)
        return result

    def _read(self, reading: _Reading, tenant: str, body: Callable[[ColdConnection], T]) -> T:
        connection, is_new = self._take()
        try:
            return self._once(reading, connection, tenant, body)
        except StorageUnavailable:
            # An idle connection is found broken only when it is used.
            if is_new or not connection.broken or connection.cancelled:
                raise
        return self._once(reading, self._connect(), tenant, body)

    def _once(
        self, reading: _Reading, connection: ColdConnection, tenant: str, body: Callable[[ColdConnection], T]
    ) -> T:
        with self._lock:
            self._busy.add(connection)
        try:
            with reading.on(connection), connection.transaction():
                connection.execute("SELECT set_config('app.tenant_id', %s, true)", (tenant,))
                return body(connection)
        finally:
            self._give_back(connection)

    def _take(self) -> tuple[ColdConnection, bool]:
        with self._lock:
            if self._idle:
                return self._idle.pop(), False
        return self._connect(), True

    def _connect(self) -> ColdConnection:
        return ColdConnection(
            self._dsn,
            "mtd reader",
            statement_timeout_s=self._config.query_statement_timeout_s,
            role=DatabaseRole.DOOR,
        )

    def _give_back(self, connection: ColdConnection) -> None:
        with self._lock:
            self._busy.discard(connection)
            if not self._stopped and not connection.broken and not connection.cancelled:
                self._idle.append(connection)
                return
        connection.close()


async def _end(reading: _Reading, thread: Future[T], waiting: asyncio.Future[T]) -> None:
    """End a reading and wait for its thread, so that nothing begins in its place before."""
    if not thread.cancel():
        await asyncio.to_thread(reading.end)
        await asyncio.wait([waiting], timeout=_ENDS_WITHIN_S)
