"""The writing thread: encodes what arrives, and commits it in groups."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from mtd.core.backoff import Backoff
from mtd.core.errors import Refused
from mtd.core.metrics import TASK_FAILURES
from mtd.eventlog import metrics
from mtd.eventlog.availability import Availability
from mtd.eventlog.encoding import encode_batch
from mtd.eventlog.errors import LogUnavailable, SourceStored
from mtd.eventlog.interfaces import AppendResult, LoggedBatch, Source
from mtd.eventlog.sqlite.keeper import STORE_ERRORS, Keeper
from mtd.eventlog.sqlite.schema import failure_reason
from mtd.eventlog.sqlite.store import NewBatch, Store

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.eventlog.config import EventLogConfig
    from mtd.pb.events.v1.envelope_pb2 import Envelope

logger = logging.getLogger(__name__)

T = TypeVar("T")

# Wait before the writer begins again after an error of ours: first, and at most.
_BEGIN_AGAIN_S = (0.05, 5.0)


@dataclass(slots=True, eq=False)
class Pending:
    """A batch on its way to the disk, and who waits for it."""

    envelopes: Sequence[Envelope]
    batch_id: bytes | None
    done: asyncio.Future[AppendResult]
    since: float
    source: Source | None = None
    encoded: NewBatch = field(default_factory=lambda: NewBatch(b"", 0, None))


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a group: told to the event loop in one call."""

    results: Sequence[tuple[Pending, AppendResult | Exception]]
    published: Sequence[tuple[LoggedBatch, int]]
    last_seq: int


@dataclass(slots=True)
class _Inbox:
    """What other threads left for the writer; touched only under its condition."""

    appends: deque[Pending] = field(default_factory=deque)
    jobs: deque[Callable[[], None]] = field(default_factory=deque)
    stopping: bool = False
    dead: bool = False


class Writer:
    """Owns the store while it runs. ``settle`` is called in its thread."""

    def __init__(
        self,
        store: Store,
        keeper: Keeper,
        settings: EventLogConfig,
        clock: Clock,
        settle: Callable[[Settled], None],
    ) -> None:
        self._store = store
        self._keeper = keeper
        self._settings = settings
        self._clock = clock
        self._settle = settle
        self._condition = threading.Condition()
        self._inbox = _Inbox()
        # Where a batch is on its way: arrived, encoded, in the commit under way. Never nowhere,
        # so that an error of ours at any place leaves nobody waiting for an answer.
        self._arrived: deque[Pending] = deque()
        self._waiting: deque[Pending] = deque()
        self._waiting_bytes = 0
        self._group: list[Pending] = []
        self._jobs: deque[Callable[[], None]] = deque()
        self._next_commit = 0.0
        self._thread = threading.Thread(target=self._run, name="mtd-log-writer", daemon=True)
        self.availability = Availability()

    # -- from the event loop -------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def append(self, pending: Pending) -> None:
        """Leave a batch for the next commit. Raises LogUnavailable if the thread is gone."""
        with self._condition:
            if self._inbox.stopping:
                raise LogUnavailable("the event log is closed")
            if self._inbox.dead:
                raise LogUnavailable(f"the event log is closed: {self.availability.reason}")
            self._inbox.appends.append(pending)
            self._condition.notify()

    def call(self, job: Callable[[], None]) -> None:
        """Run something in the thread, between two commits. It has to catch its own errors."""
        with self._condition:
            if self._inbox.dead:
                raise LogUnavailable("the event log is closed")
            self._inbox.jobs.append(job)
            self._condition.notify()

    def stop(self, timeout_s: float) -> bool:
        """Commit what waits and end the thread; False if the disk took longer than that. Blocks."""
        with self._condition:
            self._inbox.stopping = True
            self._condition.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # -- in the thread -------------------------------------------------------

    def _run(self) -> None:
        backoff = Backoff(*_BEGIN_AGAIN_S)
        try:
            while not self._worked_until_stopped():
                if self._stopped_within(backoff.next_delay()):
                    break
        finally:
            self._end()

    def _worked_until_stopped(self) -> bool:
        """Work; False if an error of ours ended it early, and events wait for somebody to go on."""
        try:
            self._work()
            self._keeper.maintain()
        except Exception as error:
            TASK_FAILURES.labels(task="eventlog").inc()
            logger.critical("the event log's writer failed and begins again", exc_info=error)
            self._keeper.drop_connection()
            self._fail(self._take_unsettled(), "error", repr(error))
            return False
        return True

    def _stopped_within(self, seconds: float) -> bool:
        with self._condition:
            return self._condition.wait_for(lambda: self._inbox.stopping, seconds)

    def _end(self) -> None:
        """Leave nobody waiting for a thread that is gone, and no doubt that it is."""
        with self._condition:
            self._inbox.dead = True
            unsettled = [*self._take_unsettled(), *self._inbox.appends]
            self._jobs.extend(self._inbox.jobs)
            if not self._inbox.stopping:
                self.availability = Availability(False, "the writing thread has ended", self._clock.now_us())
                metrics.AVAILABLE.set(0)
        self._keeper.drop_connection()
        if unsettled:
            self._fail(unsettled, "closed", "the log was closed")
        self._do_jobs()

    def _take_unsettled(self) -> list[Pending]:
        """Give up all batches that are on their way; return them, to be told of it."""
        unsettled = [*self._group, *self._waiting, *self._arrived]
        self._group = []
        self._waiting.clear()
        self._waiting_bytes = 0
        self._arrived.clear()
        return unsettled

    def _work(self) -> None:
        while True:
            stopping = self._take()
            while self._arrived:
                self._encode(self._arrived[0])
                self._arrived.popleft()
            if self._waiting and (stopping or self._commit_due()):
                self._commit()
            self._do_jobs()
            if stopping and not self._waiting:
                return
            if time.monotonic() >= self._keeper.due:
                self._keeper.maintain()

    def _do_jobs(self) -> None:
        while self._jobs:
            self._jobs.popleft()()

    def _take(self) -> bool:
        """Wait until there is something to do, and take what others left; return whether to stop."""
        with self._condition:
            inbox = self._inbox
            while not (inbox.appends or inbox.jobs or inbox.stopping or self._commit_due()):
                wake_at = min(self._next_commit, self._keeper.due) if self._waiting else self._keeper.due
                timeout = wake_at - time.monotonic()
                if timeout <= 0:
                    break
                self._condition.wait(timeout)
            self._arrived.extend(inbox.appends)
            self._jobs.extend(inbox.jobs)
            inbox.appends.clear()
            inbox.jobs.clear()
            return inbox.stopping

    def _commit_due(self) -> bool:
        if not self._waiting:
            return False
        return self._waiting_bytes >= self._settings.commit_bytes or time.monotonic() >= self._next_commit

    def _encode(self, pending: Pending) -> None:
        try:
            payload = encode_batch(pending.envelopes)
        except Exception as error:
            # Not an envelope, or one too large to be one: raised where it was appended.
            self._settle(Settled([(pending, error)], (), self._store.header.last_seq))
            return
        limit = min(self._settings.max_batch_bytes, self._settings.max_bytes)
        encoded = NewBatch(payload, len(pending.envelopes), pending.batch_id, pending.source)
        if encoded.stored_bytes > limit:
            refusal = Refused(
                f"a batch of {len(payload)} bytes is over the cap of {limit}; append it in parts"
            )
            self._settle(Settled([(pending, refusal)], (), self._store.header.last_seq))
            return
        pending.encoded = encoded
        self._waiting.append(pending)
        self._waiting_bytes += encoded.stored_bytes

    def _take_group(self) -> None:
        size = 0
        while self._waiting and size < self._settings.commit_bytes:
            pending = self._waiting.popleft()
            size += pending.encoded.stored_bytes
            self._group.append(pending)
        self._waiting_bytes -= size

    def _commit(self) -> None:
        """Commit one group, and tell who waits for it."""
        self._take_group()
        started = time.monotonic()
        self._next_commit = started + self._settings.commit_interval_s
        now_us = self._clock.now_us()
        try:
            self._ensure_open(now_us)
            fitting = self._fitting(self._group)
            batches = [pending.encoded for pending in self._group[:fitting]]
            results = self._store.insert(batches, now_us) if fitting else []
        except STORE_ERRORS as error:
            self._fail_group(failure_reason(error), str(error))
            self._keeper.drop_connection(error)
            return
        except Exception as error:
            # An error of ours: loud and counted, but events go on as soon as it lets them.
            TASK_FAILURES.labels(task="eventlog").inc()
            logger.exception("committing to the event log failed by an error of mtd")
            self._fail_group("error", repr(error))
            self._keeper.drop_connection()
            return
        # What is durable is told of first: nothing that fails from here on can take it back.
        metrics.COMMIT_SECONDS.observe(time.monotonic() - started)
        if fitting:
            self._succeed(self._group[:fitting], results, now_us)
            del self._group[:fitting]
        if self._group:
            self._fail_group(*self._keeper.shortage())
        self._keeper.after_commit()

    def _fail_group(self, reason: str, text: str) -> None:
        self._fail(self._group, reason, text)
        self._group = []

    def _fitting(self, group: Sequence[Pending]) -> int:
        """Return how many batches of a group there is room for, after trimming for them."""
        room = self._keeper.room(sum(pending.encoded.stored_bytes for pending in group))
        for count, pending in enumerate(group):
            room -= pending.encoded.stored_bytes
            if room < 0:
                return count
        return len(group)

    def _succeed(
        self, group: Sequence[Pending], results: Sequence[AppendResult | SourceStored], now_us: int
    ) -> None:
        published = [
            (
                LoggedBatch(result.first_seq, result.last_seq, pending.envelopes, now_us),
                pending.encoded.stored_bytes,
            )
            for pending, result in zip(group, results, strict=True)
            if isinstance(result, AppendResult) and not result.duplicate
        ]
        self._keeper.committed(now_us)
        if not self.availability.available:
            logger.warning("the event log can be appended to again; it was not: %s", self.availability.reason)
            self.availability = Availability()
        metrics.AVAILABLE.set(1)
        metrics.APPENDED_BATCHES.inc(len(published))
        metrics.DUPLICATE_BATCHES.inc(len(results) - len(published))
        metrics.APPENDED_EVENTS.inc(sum(len(batch.events) for batch, _ in published))
        metrics.APPENDED_BYTES.inc(sum(size for _, size in published))
        self._settle(Settled(list(zip(group, results, strict=True)), published, self._store.header.last_seq))

    def _fail(self, group: Sequence[Pending], reason: str, text: str) -> None:
        metrics.FAILED_BATCHES.labels(reason=reason).inc(len(group))
        metrics.AVAILABLE.set(0)
        if self.availability.available:
            logger.error("nothing can be appended to the event log: %s: %s", reason, text)
            self.availability = Availability(False, f"{reason}: {text}", self._clock.now_us())
        error = LogUnavailable(f"the event log can't be appended to: {reason}: {text}")
        self._settle(Settled([(pending, error) for pending in group], (), self._store.header.last_seq))
        self._keeper.hurry()

    def _ensure_open(self, now_us: int) -> None:
        if not self._store.is_open:
            self._store.open(now_us)
            # An unacknowledged commit may have reached the disk after all: readers must see it.
            self._settle(Settled((), (), self._store.header.last_seq))

    def in_store(self, work: Callable[[Keeper], T]) -> T:
        """Do something with the keeper and an open store; for jobs, in the thread."""
        try:
            self._ensure_open(self._clock.now_us())
            return work(self._keeper)
        except STORE_ERRORS as error:
            self._keeper.drop_connection(error)
            raise LogUnavailable(
                f"the event log can't be changed: {failure_reason(error)}: {error}"
            ) from error
