"""The event loop's side of the log on JetStream."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nats.aio.msg import Msg
from zope.interface import implementer

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Misconfigured, Refused
from mtd.core.service import TaskGroup
from mtd.eventlog import metrics
from mtd.eventlog.availability import Availability
from mtd.eventlog.errors import LogDamaged, LogUnavailable, PositionBeyondEnd
from mtd.eventlog.interfaces import (
    AppendResult,
    Damage,
    IEventLog,
    ISalvages,
    LoggedBatch,
    LogReport,
    LogStats,
    Progress,
    Source,
)
from mtd.eventlog.jetstream.chain import Chain
from mtd.eventlog.jetstream.connection import Connection
from mtd.eventlog.jetstream.durability import DurabilityCheck
from mtd.eventlog.jetstream.errors import NotLetIn
from mtd.eventlog.jetstream.opening import claim, load, refuse_if_in_use, who_we_are
from mtd.eventlog.jetstream.parts import Parts, Uids
from mtd.eventlog.jetstream.pending import Pending, encode
from mtd.eventlog.jetstream.reader import StreamReader
from mtd.eventlog.jetstream.stream import Stream, StreamInfo
from mtd.eventlog.jetstream.verify import verify_stream
from mtd.eventlog.jetstream.writer import Writer
from mtd.eventlog.subscription import follow
from mtd.eventlog.tail import Tail

if TYPE_CHECKING:
    from mtd.eventlog.config import EventLogConfig
    from mtd.pb.events.v1.envelope_pb2 import Envelope

logger = logging.getLogger(__name__)

# How soon servers that are not as they have to be are asked again.
_WEAK_AGAIN_S = 2.0


@implementer(IEventLog, ISalvages)
class JetStreamEventLog:
    """IEventLog in a stream. ``name`` is the log's; ``settings.path`` names where its books are kept beside the data."""

    log_id: str = ""

    def __init__(self, settings: EventLogConfig, name: str, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._settings = settings
        self._name = name
        self._clock = clock
        self._connection = Connection(settings.jetstream, f"mtd event log {name}")
        self._stream = Stream(self._connection, settings, name)
        self._durability = DurabilityCheck(settings.jetstream)
        self._tasks = TaskGroup("eventlog")
        self._parts: Parts | None = None
        self._writer: Writer | None = None
        self._running: asyncio.Task[None] | None = None
        self._damaged = asyncio.Event()
        self._tail = Tail(settings.tail_bytes)
        self._tail.closed = True

    # -- beginning and end -------------------------------------------------------

    async def start(self) -> None:
        """Take the log over, made if it isn't there. See IEventLog.

        Raises LogUnavailable while no server answers.
        """
        try:
            await self._open()
        except NotLetIn as error:
            await self._connection.close()
            raise Misconfigured(f"{error}; see event_log.jetstream.credentials_file and user") from error
        except BaseException:
            await self._connection.close()
            raise

    async def _open(self) -> None:
        settings = self._settings
        await self._connection.open()
        info = await self._stream.open()
        await self._durability.ask()
        self._demand_durability(info)
        await refuse_if_in_use(self._connection, self._stream)
        copy = await asyncio.to_thread(self._copy_path)
        opened = await load(self._stream, info, copy, self._clock.now_us())
        uids = Uids()
        writer_wake = asyncio.Event()
        chain = Chain(
            self._connection, self._stream.name, self._stream.subject, settings.jetstream, writer_wake.set
        )
        await claim(chain, self._stream, opened.ledger, uids.next(), self._clock)
        parts = Parts(
            settings,
            self._clock,
            self._connection,
            self._stream,
            opened.ledger,
            chain,
            self._durability,
            info,
            info,
            uids,
        )
        chain.reset(parts.ledger.last_message, parts.ledger.last_seq)
        self._connection.on_open = self._answer_calls
        await self._answer_calls()
        self._encoders = ThreadPoolExecutor(1, thread_name_prefix="mtd-log-encoder")
        self._reader = StreamReader(self._connection, self._stream, parts.ledger, settings)
        self.log_id = info.log_id
        self._tail = Tail(settings.tail_bytes)
        self._tail.last_seq = parts.ledger.last_seq
        self._parts = parts
        self._writer = Writer(parts, self._publish, copy, writer_wake)
        self._running = self._tasks.spawn("writer", self._writer.run())
        self._tasks.spawn("durability", self._watch_durability())
        metrics.AVAILABLE.set(1)
        self._set_gauges()
        logger.info(
            "event log %s is open in the stream %s: events %d to %d",
            self.log_id,
            self._stream.name,
            parts.ledger.trimmed_through + 1,
            parts.ledger.last_seq,
        )

    def _copy_path(self) -> Path:
        folder = self._settings.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured(
                f"the folder of the event log can't be used: {error}; see event_log.path"
            ) from error
        return folder / f"{self._stream.name}.index"

    def _demand_durability(self, info: StreamInfo) -> None:
        why = self._durability.judge(info)
        metrics.DURABLE.set(0 if why else 1)
        if not why:
            return
        if not self._settings.jetstream.accept_unsynced:
            raise Misconfigured(
                f"the stream {self._stream.name} would lose acknowledged events in a power cut: {why}"
            )
        logger.critical(
            "THE EVENT LOG IS NOT DURABLE, and event_log.jetstream.accept_unsynced is set: %s", why
        )

    async def _watch_durability(self) -> None:
        while True:
            writer, parts = self._writer, self._parts
            if writer is None or parts is None:
                return
            weak = bool(self._durability.judge(parts.info)) and not self._settings.jetstream.accept_unsynced
            await asyncio.sleep(_WEAK_AGAIN_S if weak else self._settings.jetstream.durability_interval_s)
            await self._durability.ask()
            if bool(self._durability.judge(parts.info)) != weak:
                writer.hurry()

    async def _answer_calls(self) -> None:
        """Answer who wants the same log that it is in use."""
        await self._connection.subscribe(self._stream.call_subject, self._answer_call)

    async def _answer_call(self, message: Msg) -> None:
        if message.reply and self._writer is not None:
            await self._connection.publish(message.reply, json.dumps({"holder": who_we_are()}).encode())

    async def stop(self) -> None:
        """Store what waits, end the subscriptions, close the connection. See IEventLog."""
        writer, self._writer = self._writer, None
        if writer is None or self._running is None:
            return
        writer.stop()
        _, late = await asyncio.wait({self._running}, timeout=self._settings.stop_timeout_s)
        if late:
            logger.error("the stream did not answer in %g s; not waiting", self._settings.stop_timeout_s)
        self._tail.close()
        await self._tasks.stop()
        self._reader.close()
        self._encoders.shutdown(wait=False)
        await self._connection.close()

    # -- appending ---------------------------------------------------------------

    async def append(
        self, envelopes: Sequence[Envelope], batch_id: bytes | None = None, source: Source | None = None
    ) -> AppendResult:
        """Store a batch; durable on return. See IEventLog."""
        if not envelopes:
            raise Refused("a batch without events can't be appended")
        writer, parts = self._opened()
        if writer.waiting >= self._settings.max_waiting_batches:
            metrics.FAILED_BATCHES.labels(reason="busy").inc()
            raise LogUnavailable(f"{writer.waiting} batches wait for the stream already")
        loop = asyncio.get_running_loop()
        writer.demand()
        encoded = loop.run_in_executor(self._encoders, encode, envelopes)
        pending = Pending(
            envelopes, batch_id, source, loop.create_future(), time.monotonic(), encoded, parts.uids.next()
        )
        writer.append(pending)
        metrics.WAITING_BATCHES.set(writer.waiting)
        return await pending.done

    def _opened(self) -> tuple[Writer, Parts]:
        if self._writer is None or self._parts is None:
            raise LogUnavailable("the event log is closed")
        return self._writer, self._parts

    def _publish(self, batch: LoggedBatch | None, size: int, last_seq: int) -> None:
        if batch is not None:
            self._tail.publish(batch, size)
        self._tail.advance(last_seq)
        self._set_gauges()

    def _set_gauges(self) -> None:
        if self._parts is None:
            return
        ledger = self._parts.ledger
        metrics.FIRST_SEQ.set(ledger.trimmed_through + 1)
        metrics.LAST_SEQ.set(ledger.last_seq)
        metrics.STORED_BYTES.set(ledger.stored_bytes)

    # -- reading -----------------------------------------------------------------

    async def read(self, after: int, limit: int) -> list[LoggedBatch]:
        """Return events behind a position. See IEventLog."""
        if self._tail.closed or self._parts is None:
            raise LogUnavailable("the event log is closed")
        if after > self._tail.last_seq:
            raise PositionBeyondEnd(
                f"position {after} is behind the end {self._tail.last_seq} of log {self.log_id}"
            )
        start = max(after, self._parts.ledger.trimmed_through)
        batches = self._tail.read(start, limit)
        source = "memory"
        if not batches and start < self._tail.last_seq:
            source = "disk"
            batches = await self._read_stream(start, limit)
        if batches:
            metrics.READ_EVENTS.labels(source=source).inc(sum(len(batch.events) for batch in batches))
            self._note_gap(after, batches[0].first_seq)
        return batches

    async def _read_stream(self, after: int, limit: int) -> list[LoggedBatch]:
        """Read from the servers. What is damaged is set aside on the way, and reading goes on behind it."""
        while True:
            try:
                return await self._reader.read(after, limit)
            except LogDamaged as damaged:
                writer, _ = self._opened()
                await writer.call(partial(writer.keeper.set_aside, damaged))
                self._damaged.set()

    def _note_gap(self, after: int, first_seq: int) -> None:
        # From 0 a reader asks for all there is, and gets it.
        if 0 < after < first_seq - 1:
            metrics.READ_GAPS.inc()
            logger.warning("a reader at %d goes on at %d: what lies between was trimmed", after, first_seq)

    def subscribe(self, after: int) -> AsyncIterator[LoggedBatch]:
        """Yield batches as they become durable. See IEventLog."""
        return follow(self.read, self._tail, after)

    async def stored_from(self, log_id: str) -> Sequence[tuple[int, int]]:
        """Return what was stored from another log. See IEventLog."""
        _, parts = self._opened()
        return list(parts.ledger.sources.get(log_id, ()))

    # -- consumers ---------------------------------------------------------------

    def pin(self, name: str, position: int) -> None:
        """Register a consumer's position. See IEventLog."""
        if self._parts is None:
            raise LogUnavailable("the event log is closed")
        consumers = self._parts.ledger.consumers
        known = consumers.get(name)
        consumers[name] = position
        metrics.CONSUMER_POSITION.labels(consumer=name).set(position)
        self._tail.done_with(min(consumers.values()))
        if (known is None or position < known) and self._writer is not None:
            self._writer.hurry()

    def unpin(self, name: str) -> None:
        """Forget a consumer. See IEventLog."""
        if self._parts is not None and self._parts.ledger.consumers.pop(name, None) is not None:
            metrics.CONSUMER_POSITION.remove(name)
            if self._writer is not None:
                self._writer.hurry()

    async def trim(self, before: int) -> int:
        """Forget what lies in front of a position and of every consumer. See IEventLog."""
        writer, _ = self._opened()
        first_seq = await writer.call(lambda: writer.keeper.trim_before(before))
        self._set_gauges()
        return first_seq

    # -- damage ------------------------------------------------------------------

    async def untold_damage(self) -> Sequence[Damage]:
        """Wait for something that was set aside and not told yet. See ISalvages."""
        while True:
            _, parts = self._opened()
            self._damaged.clear()
            untold = parts.ledger.damage.untold()
            if untold:
                return untold
            await self._damaged.wait()

    async def damage_told(self, damage: Sequence[Damage]) -> None:
        """Note that somebody was told. See ISalvages."""
        writer, _ = self._opened()
        await writer.call(partial(writer.keeper.damage_told, damage))

    async def go_on_behind(self, position: int) -> bool:
        """Give new events positions behind one that a reader knows. See ISalvages."""
        writer, _ = self._opened()
        lost = bool(await writer.call(partial(writer.keeper.go_on_behind, position)))
        if lost:
            logger.critical(
                "the event log %s has lost its end: a reader is at %d; numbers go on behind that",
                self._stream.name,
                position,
            )
            self._tail.advance(position)
            self._damaged.set()
        return lost

    # -- looking at it -------------------------------------------------------------

    def stats(self) -> LogStats:
        """Return the state of the log. See IEventLog."""
        if self._parts is None:
            return LogStats(self.log_id, 1, 0, 0, 0, available=False, reason="closed")
        ledger, info = self._parts.ledger, self._parts.info
        oldest_us, newest_us = ledger.ages
        availability = self._availability()
        return LogStats(
            log_id=self.log_id,
            first_seq=ledger.trimmed_through + 1,
            last_seq=self._tail.last_seq,
            batches=ledger.batches,
            stored_bytes=ledger.stored_bytes,
            disk_bytes=info.bytes,
            max_bytes=self._settings.max_bytes,
            oldest_us=oldest_us,
            newest_us=newest_us,
            available=availability.available,
            reason=availability.reason,
            unavailable_since_us=availability.since_us,
            waiting_batches=self._writer.waiting if self._writer is not None else 0,
            consumers=dict(ledger.consumers),
            warning=self._durability.judge(info),
        )

    def _availability(self) -> Availability:
        """Return whether appending works, as its last attempt and the one under way tell."""
        if self._writer is None:
            return Availability(False, "closed")
        known, since = self._writer.availability, self._writer.oldest_since
        waited_s = time.monotonic() - since if since else 0.0
        if not known.available or waited_s < self._settings.stalled_after_s:
            return known
        since_us = self._clock.now_us() - round(waited_s * 1e6)
        return Availability(False, f"stalled: the stream has not answered for {waited_s:.0f} s", since_us)

    async def verify(self, progress: Progress | None = None) -> LogReport:
        """Examine all that is stored. See IEventLog."""
        return await verify_stream(self._settings, self._name, progress)
