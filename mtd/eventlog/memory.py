"""A log in memory: for tests, and for looking at a device without keeping anything.

Passes the same suite as the logs on disk; durable until the process ends.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Refused
from mtd.eventlog.errors import LogUnavailable, PositionBeyondEnd, SourceStored
from mtd.eventlog.interfaces import (
    AppendResult,
    IEventLog,
    LoggedBatch,
    LogReport,
    LogStats,
    Progress,
    Source,
)
from mtd.eventlog.subscription import follow
from mtd.eventlog.tail import Tail
from mtd.model.events import payload_kind
from mtd.model.ranges import SeqRanges

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


@implementer(IEventLog)
class MemoryEventLog:
    """IEventLog in a list. Trims what consumers have when it is over ``max_bytes``."""

    log_id: str = ""

    def __init__(self, *, max_bytes: int = 256 * 1024 * 1024, clock: Clock = SYSTEM_CLOCK) -> None:
        self._max_bytes = max_bytes
        self._clock = clock
        self._batches: list[tuple[LoggedBatch, int]] = []
        self._by_id: dict[bytes, AppendResult] = {}
        self._stored_from: dict[str, SeqRanges] = {}
        self._consumers: dict[str, int] = {}
        self._stored_bytes = 0
        self._first_seq = 1
        self._reason = ""
        self._since_us = 0
        self._tail = Tail(0)
        self._tail.closed = True

    async def start(self) -> None:
        """Begin an empty log, or open again what was closed. See IEventLog."""
        self.log_id = self.log_id or str(uuid.uuid4())
        last_seq = self._tail.last_seq
        self._tail = Tail(0)
        self._tail.advance(last_seq)

    async def stop(self) -> None:
        """End the subscriptions. See IEventLog."""
        self._tail.close()

    def fail(self, reason: str) -> None:
        """Be unavailable for a reason, until it is empty."""
        self._since_us = self._clock.now_us() if reason else 0
        self._reason = reason

    async def append(
        self, envelopes: Sequence[Envelope], batch_id: bytes | None = None, source: Source | None = None
    ) -> AppendResult:
        """Store a batch. See IEventLog."""
        if not envelopes:
            raise Refused("a batch without events can't be appended")
        await asyncio.sleep(0)
        if self._tail.closed:
            raise LogUnavailable("the event log is closed")
        if batch_id is not None and batch_id in self._by_id:
            known = self._by_id[batch_id]
            return AppendResult(known.first_seq, known.last_seq, duplicate=True)
        if source is not None and self._of(source.log_id).overlaps(source.first_seq, source.last_seq):
            raise SourceStored(
                f"events {source.first_seq} to {source.last_seq} of {source.log_id} are stored"
            )
        size = sum(envelope.ByteSize() for envelope in envelopes)
        if size > self._max_bytes:
            raise Refused(f"a batch of {size} bytes is over the cap of {self._max_bytes}; append it in parts")
        if self._reason:
            raise LogUnavailable(self._reason)
        self._make_room(size)
        if source is not None:
            self._of(source.log_id).add(source.first_seq, source.last_seq)
        return self._store(envelopes, size, batch_id)

    def _of(self, log_id: str) -> SeqRanges:
        return self._stored_from.setdefault(log_id, SeqRanges())

    async def stored_from(self, log_id: str) -> Sequence[tuple[int, int]]:
        """Return what was stored from another log. See IEventLog."""
        return list(self._of(log_id))

    def _make_room(self, size: int) -> None:
        while self._stored_bytes + size > self._max_bytes:
            if not self._batches or self._batches[0][0].last_seq > self._slowest():
                text = f"quota: {self._stored_bytes} of {self._max_bytes} bytes are used and still needed"
                raise LogUnavailable(text)
            self._forget_oldest()

    def _store(self, envelopes: Sequence[Envelope], size: int, batch_id: bytes | None) -> AppendResult:
        first_seq = self._tail.last_seq + 1
        batch = LoggedBatch(first_seq, first_seq + len(envelopes) - 1, list(envelopes), self._clock.now_us())
        self._batches.append((batch, size))
        self._stored_bytes += size
        result = AppendResult(batch.first_seq, batch.last_seq)
        if batch_id is not None:
            self._by_id[batch_id] = result
        self._tail.advance(batch.last_seq)
        return result

    async def read(self, after: int, limit: int) -> list[LoggedBatch]:
        """Return events behind a position. See IEventLog."""
        if self._tail.closed:
            raise LogUnavailable("the event log is closed")
        if after > self._tail.last_seq:
            raise PositionBeyondEnd(
                f"position {after} is behind the end {self._tail.last_seq} of log {self.log_id}"
            )
        found: list[LoggedBatch] = []
        events = 0
        for batch, _ in self._batches:
            if batch.last_seq <= after:
                continue
            part = batch.after(after)
            events += len(part.events)
            if found and events > limit:
                break
            found.append(part)
        return found

    def subscribe(self, after: int) -> AsyncIterator[LoggedBatch]:
        """Yield batches as they come. See IEventLog."""
        return follow(self.read, self._tail, after)

    def pin(self, name: str, position: int) -> None:
        """Register a consumer's position. See IEventLog."""
        self._consumers[name] = position

    def unpin(self, name: str) -> None:
        """Forget a consumer. See IEventLog."""
        self._consumers.pop(name, None)

    async def trim(self, before: int) -> int:
        """Forget what lies in front of a position and of every consumer. See IEventLog."""
        through = min(before - 1, self._slowest())
        while self._batches and self._batches[0][0].last_seq <= through:
            self._forget_oldest()
        return self._first_seq

    def _slowest(self) -> int:
        return min(self._consumers.values(), default=self._tail.last_seq)

    def _forget_oldest(self) -> None:
        batch, size = self._batches.pop(0)
        self._stored_bytes -= size
        self._first_seq = batch.last_seq + 1
        self._by_id = {key: at for key, at in self._by_id.items() if at.last_seq > batch.last_seq}

    def stats(self) -> LogStats:
        """Return the state of the log. See IEventLog."""
        return LogStats(
            log_id=self.log_id,
            first_seq=self._first_seq,
            last_seq=self._tail.last_seq,
            batches=len(self._batches),
            stored_bytes=self._stored_bytes,
            max_bytes=self._max_bytes,
            oldest_us=self._batches[0][0].appended_us if self._batches else 0,
            newest_us=self._batches[-1][0].appended_us if self._batches else 0,
            available=not self._reason and not self._tail.closed,
            reason=self._reason or ("closed" if self._tail.closed else ""),
            unavailable_since_us=self._since_us,
            consumers=dict(self._consumers),
        )

    async def verify(self, progress: Progress | None = None) -> LogReport:
        """Count what is held: a list in memory can't be damaged. See IEventLog."""
        started = time.monotonic()
        events = [event for batch, _ in self._batches for event in batch.events]
        if progress is not None:
            progress(len(events), len(events))
        return LogReport(
            log_id=self.log_id,
            first_seq=self._first_seq,
            last_seq=self._tail.last_seq,
            batches=len(self._batches),
            events=len(events),
            stored_bytes=self._stored_bytes,
            duration_s=time.monotonic() - started,
            events_by_kind=Counter(payload_kind(event) or "unknown" for event in events),
        )
