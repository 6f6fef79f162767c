"""Reading ahead from the log, a bounded stretch, and grouping what has come."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from typing import Any

from mtd.core.errors import Retryable
from mtd.core.queues import Policy, declare
from mtd.eventlog.interfaces import LoggedBatch
from mtd.projections import metrics
from mtd.projections.batching import NumberedEvent

READ_AHEAD = declare(
    "projections.read_ahead",
    "batches",
    Policy.WAIT,
    "Batches that were read from the log and aren't projected yet. Reading waits: the log keeps the rest.",
    limited_by="projections.read_ahead_batches",
)


class LogEnded(Retryable):
    """The log was stopped; nothing more comes."""


class ReadAhead:
    """Events behind a position, read while the ones before are being written.

    The queue holds ``batches`` batches, and no more than ``events`` events unless a single
    batch has them; when it is full, reading waits: the log keeps the rest.
    """

    def __init__(self, lane: str, log: Any, after: int, batches: int, events: int) -> None:
        self._most_events = events
        self._queued_events = 0
        self._room = asyncio.Event()
        self._came = asyncio.Event()
        self._queue: asyncio.Queue[LoggedBatch | BaseException] = asyncio.Queue(batches)
        self._pending: deque[NumberedEvent] = deque()
        READ_AHEAD.watch(self, lambda one: one._queue.qsize(), lambda one: one._queue.maxsize)
        self._depth = metrics.QUEUE_BATCHES.labels(lane=lane)
        self._task = asyncio.ensure_future(self._fill(log, after))

    async def _fill(self, log: Any, after: int) -> None:
        try:
            async with aclosing(log.subscribe(after)) as batches:
                async for batch in batches:
                    await self._wait_for_room(len(batch.events))
                    self._queued_events += len(batch.events)
                    await self._queue.put(batch)
                    self._came.set()
            await self._queue.put(LogEnded("the log was stopped"))
        except Exception as error:  # handed over: take() raises it
            await self._queue.put(error)

    async def _wait_for_room(self, events: int) -> None:
        while self._queued_events and self._queued_events + events > self._most_events:
            self._room.clear()
            await self._room.wait()

    async def take(self, limit: int) -> list[NumberedEvent]:
        """Return the next events, at most ``limit``: waits for the first, not for the others."""
        if not self._pending:
            self._unpack(await self._queue.get())
        while len(self._pending) < limit and not self._queue.empty():
            following = self._queue.get_nowait()
            if isinstance(following, BaseException):
                self._queue.put_nowait(following)  # there is room: it was just taken
                break
            self._unpack(following)
        self._depth.set(self._queue.qsize())
        return [self._pending.popleft() for _ in range(min(limit, len(self._pending)))]

    async def take_full(self, limit: int) -> list[NumberedEvent]:
        """Return the next events once about ``limit`` of them wait; who gives up before has taken nothing."""
        enough = min(limit, self._most_events // 2)
        while len(self._pending) + self._queued_events < enough and not self._queue.full():
            self._came.clear()
            await self._came.wait()
        return await self.take(limit)

    def _unpack(self, batch: LoggedBatch | BaseException) -> None:
        if isinstance(batch, BaseException):
            self._queue.put_nowait(batch)  # nothing comes behind it: whoever asks next is told as well
            raise batch
        self._queued_events -= len(batch.events)
        self._room.set()
        self._pending.extend(batch.numbered())

    async def close(self) -> None:
        """Stop reading."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._depth.set(0)
