"""The event loop's side of the embedded log."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from zope.interface import implementer

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Misconfigured, Refused
from mtd.eventlog import metrics
from mtd.eventlog.availability import Availability
from mtd.eventlog.errors import FileDamaged, LogDamaged, LogUnavailable, PositionBeyondEnd
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
from mtd.eventlog.queues import COMMITS
from mtd.eventlog.sqlite.keeper import Keeper
from mtd.eventlog.sqlite.reader import DiskReader
from mtd.eventlog.sqlite.schema import FileLock, failure_reason
from mtd.eventlog.sqlite.store import Store
from mtd.eventlog.sqlite.verify import verify_file
from mtd.eventlog.sqlite.writer import Pending, Settled, Writer
from mtd.eventlog.subscription import follow
from mtd.eventlog.tail import Tail

if TYPE_CHECKING:
    from mtd.eventlog.config import EventLogConfig
    from mtd.pb.events.v1.envelope_pb2 import Envelope

logger = logging.getLogger(__name__)

T = TypeVar("T")

# How often a reader may see damage where the writer sees none, before that is an error.
_DOUBTS = 3
# Holes between batches that are remembered as known: others are looked up again.
_KNOWN_HOLES = 1000


@implementer(IEventLog, ISalvages)
class SqliteEventLog:
    """IEventLog in one SQLite file."""

    log_id: str = ""

    def __init__(self, settings: EventLogConfig, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = FileLock(settings.path)
        self._store = Store(settings.path, settings.busy_timeout_s)
        self._reader = DiskReader(settings.path, settings.busy_timeout_s, settings.read_bytes)
        self._consumers: dict[str, int] = {}
        self._pending: dict[Pending, None] = {}  # oldest first
        COMMITS.watch(self, lambda one: len(one._pending), lambda one: one._settings.max_waiting_batches)
        self._writer: Writer | None = None
        self._tail = Tail(settings.tail_bytes)
        self._tail.closed = True
        self._damaged = asyncio.Event()
        self._known_holes: deque[tuple[int, int]] = deque(maxlen=_KNOWN_HOLES)
        self._store.replaced = self._replaced

    async def start(self) -> None:
        """Open the log, made if it isn't there. See IEventLog."""
        self._loop = asyncio.get_running_loop()
        self._keeper = await asyncio.to_thread(self._open)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="mtd-log-reader")
        header = self._store.header
        self.log_id = header.log_id
        self._tail = Tail(self._settings.tail_bytes)
        self._tail.last_seq = header.last_seq
        self._writer = Writer(
            self._store, self._keeper, self._settings, self._clock, self._settle_from_thread
        )
        self._writer.start()
        metrics.AVAILABLE.set(1)
        self._set_gauges()
        logger.info(
            "event log %s is open at %s: events %d to %d",
            self.log_id,
            self._settings.path,
            header.trimmed_through + 1,
            header.last_seq,
        )

    def _open(self) -> Keeper:
        path = self._settings.path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except OSError as error:
            raise Misconfigured(
                f"the folder of the event log can't be used: {error}; see event_log.path"
            ) from error
        try:
            self._store.open(self._clock.now_us())
            self._consumers.update(self._store.consumers())
            return Keeper(self._store, self._settings, self._clock, self._consumers.copy)
        except sqlite3.Error as error:
            reason = failure_reason(error)
            if reason in ("disk_full", "busy"):
                raise LogUnavailable(f"the event log {path} can't be opened: {reason}: {error}") from error
            raise Misconfigured(f"the event log {path} can't be opened: {reason}: {error}") from error
        except OSError as error:
            raise LogUnavailable(f"the event log {path} can't be opened: {error}") from error
        finally:
            if not self._store.is_open:
                self._lock.release()

    async def stop(self) -> None:
        """Commit what waits, end the subscriptions, close the file. See IEventLog."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        ended = await asyncio.to_thread(writer.stop, self._settings.stop_timeout_s)
        self._tail.close()
        if not ended:
            logger.error(
                "the event log's disk did not answer in %g s; not waiting", self._settings.stop_timeout_s
            )
            self._abandon()
            # The lock stays: what hangs may still reach the disk. It goes with the process.
            self._threads.shutdown(wait=False)
            return
        await asyncio.to_thread(self._threads.shutdown)
        self._reader.close()
        self._lock.release()

    def _abandon(self) -> None:
        for pending in self._pending:
            if not pending.done.done():
                pending.done.set_exception(LogUnavailable("the event log was closed while its disk hung"))
        self._pending.clear()

    async def append(
        self, envelopes: Sequence[Envelope], batch_id: bytes | None = None, source: Source | None = None
    ) -> AppendResult:
        """Store a batch; durable on return. See IEventLog."""
        if not envelopes:
            raise Refused("a batch without events can't be appended")
        if len(self._pending) >= self._settings.max_waiting_batches:
            metrics.FAILED_BATCHES.labels(reason="busy").inc()
            raise LogUnavailable(f"{len(self._pending)} batches wait for the disk already")
        writer = self._open_writer()
        pending = Pending(envelopes, batch_id, self._loop.create_future(), time.monotonic(), source)
        writer.append(pending)
        self._pending[pending] = None
        metrics.WAITING_BATCHES.set(len(self._pending))
        return await pending.done

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise LogUnavailable("the event log is closed")
        return self._writer

    def _settle_from_thread(self, settled: Settled) -> None:
        # The loop is closed already if the process ends without stopping the log.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, settled)

    def _settle(self, settled: Settled) -> None:
        for batch, size in settled.published:
            self._tail.publish(batch, size)
        self._tail.advance(settled.last_seq)
        now = time.monotonic()
        for pending, result in settled.results:
            self._pending.pop(pending, None)
            metrics.APPEND_SECONDS.observe(now - pending.since)
            if pending.done.done():
                continue  # whoever waited has given up
            if isinstance(result, Exception):
                pending.done.set_exception(result)
            else:
                pending.done.set_result(result)
        metrics.WAITING_BATCHES.set(len(self._pending))
        self._set_gauges()

    def _set_gauges(self) -> None:
        state = self._keeper.state
        metrics.FIRST_SEQ.set(state.first_seq)
        metrics.LAST_SEQ.set(self._tail.last_seq)
        metrics.STORED_BYTES.set(state.stored_bytes)
        metrics.DISK_FREE_BYTES.set(state.disk_free_bytes)

    async def read(self, after: int, limit: int) -> list[LoggedBatch]:
        """Return events behind a position. See IEventLog."""
        if self._tail.closed:
            raise LogUnavailable("the event log is closed")
        if after > self._tail.last_seq:
            raise PositionBeyondEnd(
                f"position {after} is behind the end {self._tail.last_seq} of log {self.log_id}"
            )
        start = max(after, self._keeper.state.first_seq - 1)
        batches = self._tail.read(start, limit)
        source = "memory"
        if not batches and start < self._tail.last_seq:
            source = "disk"
            batches = await self._read_disk(start, limit)
        if batches:
            # The disk may have shown a commit that the writer hasn't told of yet.
            self._tail.advance(batches[-1].last_seq)
            metrics.READ_EVENTS.labels(source=source).inc(sum(len(batch.events) for batch in batches))
            self._note_gap(after, batches[0].first_seq)
        return batches

    async def _read_disk(self, after: int, limit: int) -> list[LoggedBatch]:
        """Read from the file. What is damaged is set aside on the way, and reading goes on behind it."""
        doubts = 0
        while True:
            try:
                batches = await self._loop.run_in_executor(self._threads, self._reader.read, after, limit)
                await self._note_holes(after, batches)
                return batches
            except (LogDamaged, FileDamaged) as damaged:
                if await self._put_right(damaged):
                    continue
                doubts += 1
                if doubts >= _DOUBTS:
                    raise
                self._reader.close()  # it saw what is not in the file: it has to look again

    async def _put_right(self, damaged: LogDamaged | FileDamaged) -> bool:
        """Set aside what a reader found damaged, or replace the file; False if all is as it should be."""
        writer = self._open_writer()

        def work(keeper: Keeper) -> bool:
            now_us = self._clock.now_us()
            if isinstance(damaged, FileDamaged):
                if self._store.is_sound():
                    return False
                self._store.suspect(damaged.__cause__ or damaged)
                self._store.open(now_us)
            elif self._store.set_aside(damaged.first_seq, now_us) is None:
                return False
            keeper.changed()
            return True

        mended = await self._in_writer(writer, lambda: writer.in_store(work))
        if mended:
            logger.error("the event log is damaged, and goes on without what is lost: %s", damaged)
            self._damaged.set()
        return mended

    async def _note_holes(self, after: int, batches: Sequence[LoggedBatch]) -> None:
        """Write down what is missing between batches, and isn't known to be: a page may have lost it."""
        expected = max(after, self._keeper.state.first_seq - 1) + 1
        for batch in batches:
            first, last = expected, batch.first_seq - 1
            expected = batch.last_seq + 1
            if first > last or any(low <= first and last <= high for low, high in self._known_holes):
                continue
            writer = self._open_writer()
            noted = await self._in_writer(
                writer, partial(writer.in_store, partial(self._note_hole, first, last))
            )
            if noted:
                logger.error(
                    "the event log is damaged: events %d to %d are missing",
                    first,
                    last,
                    extra=self._at(first),
                )
                self._damaged.set()
            self._known_holes.append((first, last))

    def _note_hole(self, first: int, last: int, keeper: Keeper) -> bool:
        noted = self._store.note_hole(first, last, self._clock.now_us())
        keeper.changed()
        return noted

    def _note_gap(self, after: int, first_seq: int) -> None:
        # From 0 a reader asks for all there is, and gets it.
        if 0 < after < first_seq - 1:
            metrics.READ_GAPS.inc()
            logger.warning(
                "a reader at %d goes on at %d: what lies between was trimmed, or is damaged",
                after,
                first_seq,
                extra=self._at(first_seq),
            )

    def _at(self, seq: int) -> dict[str, object]:
        """Return what a line about an event carries."""
        return {"log_id": self.log_id, "seq": seq}

    def subscribe(self, after: int) -> AsyncIterator[LoggedBatch]:
        """Yield batches as they become durable. See IEventLog."""
        return follow(self.read, self._tail, after)

    def pin(self, name: str, position: int) -> None:
        """Register a consumer's position. See IEventLog."""
        known = self._consumers.get(name)
        self._consumers[name] = position
        metrics.CONSUMER_POSITION.labels(consumer=name).set(position)
        self._tail.done_with(min(self._consumers.values()))
        if (known is None or position < known) and self._writer is not None:
            self._writer.call(self._keeper.save_consumers)

    def unpin(self, name: str) -> None:
        """Forget a consumer. See IEventLog."""
        if self._consumers.pop(name, None) is not None:
            metrics.CONSUMER_POSITION.remove(name)
            if self._writer is not None:
                self._writer.call(self._keeper.save_consumers)

    async def trim(self, before: int) -> int:
        """Forget what lies in front of a position and of every consumer. See IEventLog."""
        writer = self._open_writer()
        return await self._in_writer(
            writer, lambda: writer.in_store(lambda keeper: keeper.trim_before(before))
        )

    async def stored_from(self, log_id: str) -> Sequence[tuple[int, int]]:
        """Return what was stored from another log. See IEventLog."""
        writer = self._open_writer()
        return await self._in_writer(
            writer, lambda: writer.in_store(lambda _: self._store.stored_from(log_id))
        )

    async def untold_damage(self) -> Sequence[Damage]:
        """Wait for something that was set aside and not told yet. See ISalvages."""
        writer = self._open_writer()
        while True:
            self._damaged.clear()
            untold = await self._in_writer(
                writer, lambda: writer.in_store(lambda _: self._store.damage(untold=True))
            )
            if untold:
                return untold
            await self._damaged.wait()

    async def damage_told(self, damage: Sequence[Damage]) -> None:
        """Note that somebody was told. See ISalvages."""
        writer = self._open_writer()
        await self._in_writer(writer, lambda: writer.in_store(lambda _: self._store.damage_told(damage)))

    async def go_on_behind(self, position: int) -> bool:
        """Give new events positions behind one that a reader knows. See ISalvages."""
        writer = self._open_writer()

        def work(keeper: Keeper) -> bool:
            damage = self._store.go_on_behind(position, self._clock.now_us())
            keeper.changed()
            return damage is not None

        lost = await self._in_writer(writer, lambda: writer.in_store(work))
        if lost:
            logger.critical(
                "the event log %s has lost its end: a reader is at %d; numbers go on behind that",
                self._settings.path,
                position,
            )
            self._tail.advance(position)
            self._damaged.set()
        return lost

    def _replaced(self) -> None:
        """Have the file opened anew by the reader, too. In the writing thread."""
        self._reader.close()
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._damaged.set)

    async def _in_writer(self, writer: Writer, work: Callable[[], T]) -> T:
        done: asyncio.Future[T] = self._loop.create_future()

        def set_result(result: T | Exception) -> None:
            if done.cancelled():
                return
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)

        def job() -> None:
            try:
                result: T | Exception = work()
            except Exception as error:  # raised where it is awaited
                result = error
            self._loop.call_soon_threadsafe(set_result, result)

        writer.call(job)
        return await done

    def stats(self) -> LogStats:
        """Return the state of the log. See IEventLog."""
        state = self._keeper.state
        availability = self._availability()
        return LogStats(
            log_id=self.log_id,
            first_seq=state.first_seq,
            last_seq=self._tail.last_seq,
            batches=state.batches,
            stored_bytes=state.stored_bytes,
            disk_bytes=state.disk_bytes,
            disk_free_bytes=state.disk_free_bytes,
            disk_size_bytes=state.disk_size_bytes,
            max_bytes=self._settings.max_bytes,
            oldest_us=state.oldest_us,
            newest_us=state.newest_us,
            available=availability.available,
            reason=availability.reason,
            unavailable_since_us=availability.since_us,
            waiting_batches=len(self._pending),
            consumers=dict(self._consumers),
        )

    def _availability(self) -> Availability:
        """Return whether appending works, as its last attempt and the one under way tell."""
        if self._writer is None:
            return Availability(False, "closed")
        known = self._writer.availability
        oldest = next(iter(self._pending), None)
        if oldest is None or not known.available:
            return known
        waited_s = time.monotonic() - oldest.since
        if waited_s < self._settings.stalled_after_s:
            return known
        since_us = self._clock.now_us() - round(waited_s * 1e6)
        return Availability(False, f"stalled: the disk has not answered for {waited_s:.0f} s", since_us)

    async def verify(self, progress: Progress | None = None) -> LogReport:
        """Examine all that is stored. See IEventLog."""
        report = None
        if progress is not None:
            loop, call = self._loop, progress

            def report_from_thread(done: int, total: int) -> None:
                loop.call_soon_threadsafe(call, done, total)

            report = report_from_thread
        return await asyncio.to_thread(verify_file, self._settings.path, report)
