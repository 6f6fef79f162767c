"""Reading stored batches from the stream: what is asked for, and nothing ahead of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from mtd.eventlog import metrics
from mtd.eventlog.errors import LogDamaged
from mtd.eventlog.interfaces import LoggedBatch
from mtd.eventlog.jetstream.errors import NatsAway
from mtd.eventlog.jetstream.messages import BATCH, Message, Placed, assemble, check
from mtd.eventlog.upcast import UPCASTERS
from mtd.pb.events.v1.envelope_pb2 import Envelope, EventBatch

if TYPE_CHECKING:
    from mtd.eventlog.config import EventLogConfig
    from mtd.eventlog.jetstream.connection import Connection
    from mtd.eventlog.jetstream.ledger import BatchRow, Ledger
    from mtd.eventlog.jetstream.stream import Stream

# A server that keeps a copy may lag behind the one that confirmed: asked again after this.
_AGAIN_S = 0.05


class StreamReader:
    """Reads by the books where batches are. Decodes in a thread of its own."""

    def __init__(
        self, connection: Connection, stream: Stream, ledger: Ledger, settings: EventLogConfig
    ) -> None:
        self._connection = connection
        self._stream = stream
        self._ledger = ledger
        self._settings = settings
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="mtd-log-reader")

    def close(self) -> None:
        """End the thread."""
        self._threads.shutdown(wait=False)

    async def read(self, after: int, limit: int) -> list[LoggedBatch]:
        """Return batches behind a position: the first whole, further ones up to the limits."""
        rows = self._ledger.behind(after, limit, self._settings.read_bytes)
        if not rows:
            return []
        await self._connection.open()
        messages = await self._messages(rows)
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, _decode, rows, messages, after)
        except LogDamaged:
            # Perhaps only the copy that answered is damaged.
            messages = [found for number in _numbers(rows[0]) if (found := await self._stream.get(number))]
            return await loop.run_in_executor(self._threads, _decode, rows[:1], messages, after)

    async def _messages(self, rows: Sequence[BatchRow]) -> list[Message]:
        """Return the messages of batches, as far as the first of them that the servers don't have."""
        messages: list[Message] = []
        first, last = rows[0].first_message, rows[-1].last_message
        deadline = time.monotonic() + self._settings.jetstream.request_timeout_s
        while first <= last:
            found = await self._stream.read(first, last, self._settings.read_bytes)
            if found and found[0].number == first:
                messages += found
                first = found[-1].number + 1
                continue
            if time.monotonic() > deadline:
                if await self._stream.get(first) is not None:
                    raise NatsAway(f"the stream doesn't give message {first}, which its leader has")
                break
            await asyncio.sleep(_AGAIN_S)
        return messages


def _numbers(row: BatchRow) -> range:
    return range(row.first_message, row.last_message + 1)


def _decode(rows: Sequence[BatchRow], messages: Sequence[Message], after: int) -> list[LoggedBatch]:
    whole = {placed.head.first_seq: placed for placed in assemble(messages) if placed.head.kind == BATCH}
    batches: list[LoggedBatch] = []
    for row in rows:
        try:
            placed = whole.get(row.first_seq)
            if placed is None:
                raise LogDamaged(row.first_seq, row.last_seq, "its messages are missing in the stream")
            events = events_of(placed)
        except LogDamaged:
            metrics.DAMAGED_BATCHES.inc()
            if batches:
                # What is sound comes first; who reads on meets the damage next.
                break
            raise
        batch = LoggedBatch(row.first_seq, row.last_seq, UPCASTERS.upcast_all(events), row.appended_us)
        batches.append(batch.after(after))
    return batches


def events_of(placed: Placed) -> list[Envelope]:
    """Return the events of a batch. Raises LogDamaged if it isn't what was stored."""
    check(placed)
    head = placed.head
    try:
        events = list(EventBatch.FromString(placed.body).events)
    except DecodeError as error:
        raise LogDamaged(head.first_seq, head.last_seq, f"can't be decoded: {error}") from error
    if len(events) != head.last_seq + 1 - head.first_seq:
        raise LogDamaged(head.first_seq, head.last_seq, f"holds {len(events)} events")
    return events
