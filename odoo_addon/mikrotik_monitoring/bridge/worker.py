"""Threads for what blocks: Odoo's work, and the chores of each connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

# A chore takes up to three of Odoo's database connections, of which a process has 64 unless it is told otherwise.
CHORES_AT_ONCE = 8


class Worker:
    """One thread; calls wait for each other. Knows how long the call under way lasts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._calls: set[Future[Any]] = set()
        self._since: float | None = None

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function there, and wait. A caller that is cancelled does not end the call."""
        call = self._executor.submit(self._run, function, arguments)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return await asyncio.wrap_future(call)

    def _run(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        self._since = time.monotonic()
        try:
            return function(*arguments)
        finally:
            self._since = None

    @property
    def busy_s(self) -> float:
        """Return how long the call under way lasts already; 0 if there is none."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    @property
    def is_idle(self) -> bool:
        """Whether no call is under way, or waits."""
        return not self._calls

    def close(self) -> None:
        """Take no more calls."""
        self._executor.shutdown(wait=False, cancel_futures=True)


class _ChoreWorker(Worker):
    """Has a door in common with others, so that not all of them work at once. Takes one place of it at most."""

    def __init__(self, name: str, door: asyncio.Semaphore) -> None:
        super().__init__(name)
        self._turn, self._door = asyncio.Lock(), door

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function there when it is its turn."""
        async with self._turn, self._door:
            return await super().call(function, *arguments)


class Chores:
    """A worker for each connection: a company whose mtd hangs holds up itself only.

    A connection that ends and comes back has the worker that it had for as long as a call is under way there. So
    the same chore isn't done twice at once, and what is stuck is known, whoever began it.
    """

    def __init__(self) -> None:
        self._workers: dict[int, Worker] = {}
        self._ended: set[int] = set()
        self._door = asyncio.Semaphore(CHORES_AT_ONCE)

    def begin(self, connection_id: int) -> Worker:
        """Return the worker of a connection."""
        self._ended.discard(connection_id)
        if connection_id not in self._workers:
            self._workers[connection_id] = _ChoreWorker(f"chores of connection {connection_id}", self._door)
        return self._workers[connection_id]

    def end(self, connection_id: int) -> None:
        """The connection has no more chores."""
        self._ended.add(connection_id)
        for idle in [key for key in self._ended if self._workers[key].is_idle]:
            self._ended.discard(idle)
            self._workers.pop(idle).close()

    @property
    def workers(self) -> tuple[Worker, ...]:
        """Return those that are there, also of connections that ended while a call was under way."""
        return tuple(self._workers.values())

    @property
    def busy_s(self) -> float:
        """Return how long the longest call under way lasts already; 0 if there is none."""
        return max((worker.busy_s for worker in self.workers), default=0.0)

    def close(self) -> None:
        """Take no more calls."""
        for worker in self.workers:
            worker.close()
