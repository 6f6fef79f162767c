"""The newest batches in memory, for readers in the same process, and their alarm clock."""

from __future__ import annotations

import asyncio
from collections import deque

from mtd.core.queues import Policy, declare
from mtd.eventlog.interfaces import LoggedBatch

TAIL = declare(
    "eventlog.tail",
    "bytes",
    Policy.DROP_OLDEST,
    "The newest events in memory, for readers in the same process. Who is further behind reads the disk.",
    limited_by="event_log.tail_bytes",
)
# Kept although all consumers are done with it: for streams, and what is sent once more.
_SPARE_BYTES = 256 * 1024


class Tail:
    """Recently committed batches with their envelopes, bounded by stored bytes.

    What all consumers are done with is forgotten, but for a little: who comes late or
    again finds it on the disk. Policy when full: the oldest are forgotten; who still
    needs them reads the disk. Belongs to the event loop.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._order: deque[tuple[int, int]] = deque()  # (first_seq, bytes), oldest first
        self._by_first: dict[int, LoggedBatch] = {}
        self._arrived = asyncio.Event()
        self.last_seq = 0
        self.closed = False
        TAIL.watch(self, lambda one: one._bytes, lambda one: one._max_bytes)

    def publish(self, batch: LoggedBatch, size: int) -> None:
        """Add a batch that became durable, which follows the one before, and wake the readers."""
        self._order.append((batch.first_seq, size))
        self._by_first[batch.first_seq] = batch
        self._bytes += size
        self.last_seq = max(self.last_seq, batch.last_seq)
        while self._order and self._bytes > self._max_bytes:
            self._forget_oldest()
        self._wake()

    def done_with(self, position: int) -> None:
        """Forget what all consumers are done with: events up to a position."""
        while self._order and self._bytes > _SPARE_BYTES:
            if self._by_first[self._order[0][0]].last_seq > position:
                return
            self._forget_oldest()

    def advance(self, last_seq: int) -> None:
        """Note that the log reaches further than what was published here."""
        if last_seq > self.last_seq:
            self.last_seq = last_seq
            self._wake()

    def read(self, after: int, limit: int) -> list[LoggedBatch]:
        """Return batches behind a position: the first whole, further ones up to ``limit`` events.

        Empty if only the disk has what follows the position.
        """
        batches: list[LoggedBatch] = []
        events = 0
        batch = self._by_first.get(after + 1) or self._around(after)
        while batch is not None:
            events += len(batch.events)
            if batches and events > limit:
                break
            batches.append(batch)
            batch = self._by_first.get(batch.last_seq + 1)
        return batches

    def _around(self, after: int) -> LoggedBatch | None:
        """Return the rest of the batch in whose middle a position is: where a reader may start."""
        if not self._order or after < self._order[0][0]:
            return None
        for first_seq, _ in reversed(self._order):
            if first_seq <= after:
                batch = self._by_first[first_seq]
                return batch.after(after) if batch.last_seq > after else None
        return None

    async def wait_beyond(self, position: int) -> None:
        """Wait until there is something behind a position, or the log is closed."""
        while self.last_seq <= position and not self.closed:
            await self._arrived.wait()

    def close(self) -> None:
        """Release everyone who waits."""
        self.closed = True
        self._wake()

    def _forget_oldest(self) -> None:
        first_seq, size = self._order.popleft()
        del self._by_first[first_seq]
        self._bytes -= size

    def _wake(self) -> None:
        # Who waits holds the old event; who comes later gets the new one.
        self._arrived.set()
        self._arrived = asyncio.Event()
