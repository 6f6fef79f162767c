"""Looking at a log's stream from outside, whether or not a daemon writes it at the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.core.errors import Misconfigured
from mtd.eventlog.examination import Examiner, LogHeader, StoredBatch
from mtd.eventlog.interfaces import LoggedBatch, LogReport, LogStats, Progress
from mtd.eventlog.jetstream.connection import Connection
from mtd.eventlog.jetstream.durability import DurabilityCheck
from mtd.eventlog.jetstream.errors import NatsAway
from mtd.eventlog.jetstream.ledger import Ledger
from mtd.eventlog.jetstream.messages import BATCH, Assembler, Placed
from mtd.eventlog.jetstream.opening import load
from mtd.eventlog.jetstream.reader import StreamReader, events_of
from mtd.eventlog.jetstream.stream import FORMAT, Stream, StreamInfo

if TYPE_CHECKING:
    from mtd.eventlog.config import EventLogConfig

# Batches examined before the event loop is let go on: they are decoded in a thread.
_MESSAGES_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Looking:
    """A stream that is looked at: its books as they were at the beginning."""

    connection: Connection
    stream: Stream
    info: StreamInfo
    ledger: Ledger
    warning: str

    @property
    def header(self) -> LogHeader:
        """Return what the log says of itself."""
        ledger = self.ledger
        return LogHeader(
            ledger.log_id, ledger.trimmed_through, ledger.last_seq, ledger.batches, ledger.stored_bytes
        )


@asynccontextmanager
async def looking(settings: EventLogConfig, name: str) -> AsyncIterator[Looking]:
    """Look at a log's stream. Raises NotFound, Misconfigured, and LogUnavailable."""
    connection = Connection(settings.jetstream, f"mtd looking at the event log {name}")
    try:
        await connection.open()
        stream = Stream(connection, settings, name)
        info = await stream.info()
        if info.format != FORMAT:
            raise Misconfigured(f"the stream {stream.name} is not an event log of mtd")
        durability = DurabilityCheck(settings.jetstream)
        await durability.ask()
        opened = await load(stream, info, None)
        yield Looking(connection, stream, info, opened.ledger, durability.judge(info))
    finally:
        await connection.close()


async def stream_stats(settings: EventLogConfig, name: str) -> LogStats:
    """Return the state of a log from its stream alone. The daemon may be running."""
    async with looking(settings, name) as looked:
        ledger, info = looked.ledger, looked.info
        oldest_us, newest_us = ledger.ages
        return LogStats(
            log_id=ledger.log_id,
            first_seq=ledger.trimmed_through + 1,
            last_seq=ledger.last_seq,
            batches=ledger.batches,
            stored_bytes=ledger.stored_bytes,
            disk_bytes=info.bytes,
            max_bytes=settings.max_bytes,
            oldest_us=oldest_us,
            newest_us=newest_us,
            consumers=dict(ledger.consumers),
            warning=looked.warning,
        )


async def verify_stream(settings: EventLogConfig, name: str, progress: Progress | None = None) -> LogReport:
    """Examine all batches that the log retains. The daemon may be running."""
    started = time.monotonic()
    async with looking(settings, name) as looked:
        trimmed = looked.ledger.trimmed_through
        damage = looked.ledger.damage
        examiner = Examiner(looked.header, lambda: trimmed, tuple(damage))
        total = looked.ledger.last_seq - trimmed
        async for placed in _all(looked, settings):
            head = placed.head
            if head.last_seq <= trimmed or damage.covers(head.first_seq, head.last_seq):
                continue  # trimmed, but not purged yet; or known to be damaged
            batch = StoredBatch(
                head.first_seq,
                head.last_seq,
                head.stored_bytes,
                head.batch_id,
                lambda placed=placed: events_of(placed),  # type: ignore[misc]
            )
            await asyncio.to_thread(examiner.examine, batch)
            if progress is not None:
                progress(examiner.events, total)
        info = await looked.stream.info()
        if info.first_message != looked.info.first_message:
            trimmed = (await load(looked.stream, info, None)).ledger.trimmed_through
        return examiner.report(looked.header, time.monotonic() - started)


async def _all(looked: Looking, settings: EventLogConfig) -> AsyncIterator[Placed]:
    """Yield the batches of the stream, in order, up to where it ended at the beginning."""
    if not looked.info.messages:
        return
    assembler = Assembler()
    number, last = looked.info.first_message, looked.info.last_message
    deadline = time.monotonic() + settings.jetstream.request_timeout_s
    while number <= last:
        upto = min(last, number + _MESSAGES_AT_ONCE - 1)
        messages = await looked.stream.read(number, upto, settings.read_bytes)
        if not messages:
            info = await looked.stream.info()
            if info.first_message > number:  # trimmed meanwhile
                number = info.first_message
                continue
            if await looked.stream.get(upto) is not None and time.monotonic() < deadline:
                await asyncio.sleep(0.05)
                continue
            if upto < last:  # nothing at all of these: their absence shows as a gap
                number = upto + 1
                continue
            if await looked.stream.get(last) is not None:
                raise NatsAway(f"the stream doesn't give message {last}, which its leader has")
            return
        deadline = time.monotonic() + settings.jetstream.request_timeout_s
        for message in messages:
            placed = assembler.add(message)
            if placed is not None and placed.head.kind == BATCH:
                yield placed
        number = messages[-1].number + 1


class BatchReader:
    """Reads a log's batches in order, from outside."""

    def __init__(self, looked: Looking, settings: EventLogConfig) -> None:
        self._reader = StreamReader(looked.connection, looked.stream, looked.ledger, settings)

    async def read(self, after: int, limit: int) -> list[LoggedBatch]:
        """Return batches behind a position, as they were when looking began."""
        return await self._reader.read(after, limit)

    def close(self) -> None:
        """End its thread."""
        self._reader.close()
