"""Reading ahead from the log, a bounded stretch, and grouping what has come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

from mtd.core.errors import Retryable
from mtd.core.queues import Policy, declare
from mtd.eventlog.interfaces import LoggedBatch
from mtd.projections import metrics
from mtd.projections.batching import NumberedEvent
from mtd.projections.weights import weight_of

READ_AHEAD = declare(
    "projections.read_ahead",
    "batches",
    Policy.WAIT,
    "Batches that were read from the log and aren't projected yet. Reading waits: the log keeps the rest.",
    limited_by="projections.read_ahead_batches",
)


# Between two turns of the loop: two milliseconds of large events.
_WEIGHED_AT_ONCE = 512


class LogEnded(Retryable):
    """The log was stopped; nothing more comes."""


class _Weighed(NamedTuple):
    batch: LoggedBatch
    weights: Sequence[int]
    weight: int


class ReadAhead:
    """Events behind a position, read while the ones before are being written.

    The queue holds ``batches`` batches, and what weighs no more than ``events`` ordinary
    events unless a single batch does; when it is full, reading waits: the log keeps the rest.
    """

    def __init__(self, lane: str, log: Any, after: int, batches: int, events: int) -> None:
        self._most = events
        self._queued_weight = 0
        self._room = asyncio.Event()
        self._came = asyncio.Event()
        self._queue: asyncio.Queue[_Weighed | BaseException] = asyncio.Queue(batches)
        self._pending: deque[tuple[int, NumberedEvent]] = deque()  # each behind its weight
        self._pending_weight = 0
        READ_AHEAD.watch(self, lambda one: one._queue.qsize(), lambda one: one._queue.maxsize)
        self._depth = metrics.QUEUE_BATCHES.labels(lane=lane)
        self._task = asyncio.ensure_future(self._fill(log, after))

    async def _fill(self, log: Any, after: int) -> None:
        try:
            async with aclosing(log.subscribe(after)) as batches:
                async for batch in batches:
                    weighed = await _weighed(batch)
                    await self._wait_for_room(weighed.weight)
                    self._queued_weight += weighed.weight
                    await self._queue.put(weighed)
                    self._came.set()
            await self._queue.put(LogEnded("the log was stopped"))
        except Exception as error:  # handed over: take() raises it
            await self._queue.put(error)

    async def _wait_for_room(self, weight: int) -> None:
        while self._queued_weight and self._queued_weight + weight > self._most:
            self._room.clear()
            await self._room.wait()

    async def take(self, limit: int) -> list[NumberedEvent]:
        """Return the next events, one at least, which weigh ``limit`` at most: waits for the first, not for the others."""
        if not self._pending:
            self._unpack(await self._queue.get())
        while self._pending_weight < limit and not self._queue.empty():
            following = self._queue.get_nowait()
            if isinstance(following, BaseException):
                self._queue.put_nowait(following)  # there is room: it was just taken
                break
            self._unpack(following)
        self._depth.set(self._queue.qsize())
        taken: list[NumberedEvent] = []
        weight = 0
        while self._pending and (not taken or weight + self._pending[0][0] <= limit):
            own, event = self._pending.popleft()
            weight += own
            taken.append(event)
        self._pending_weight -= weight
        return taken

    async def take_full(self, limit: int) -> list[NumberedEvent]:
        """Return the next events once about ``limit`` of them wait; who gives up before has taken nothing."""
        enough = min(limit, self._most // 2)
        while self._pending_weight + self._queued_weight < enough and not self._queue.full():
            self._came.clear()
            await self._came.wait()
        return await self.take(limit)

    def _unpack(self, found: _Weighed | BaseException) -> None:
        if isinstance(found, BaseException):
            self._queue.put_nowait(found)  # nothing comes behind it: whoever asks next is told as well
            raise found
        self._queued_weight -= found.weight
        self._room.set()
        self._pending.extend(zip(found.weights, found.batch.numbered(), strict=True))
        self._pending_weight += found.weight

    async def close(self) -> None:
        """Stop reading."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._depth.set(0)


async def _weighed(batch: LoggedBatch) -> _Weighed:
    weights, weight, told = [], 0, 0
    for envelope in batch.events:
        own = weight_of(envelope)
        weights.append(own)
        weight += own
        if weight - told >= _WEIGHED_AT_ONCE:
            told = weight
            await asyncio.sleep(0)
    return _Weighed(batch, weights, weight)
