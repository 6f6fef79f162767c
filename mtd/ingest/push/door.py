"""The door for batches: checked, limited, appended, and told of when they are durable."""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError, QuotaExceeded, Refused, Retryable
from mtd.core.service import TaskGroup
from mtd.eventlog.errors import LogUnavailable
from mtd.eventlog.interfaces import AppendResult
from mtd.ingest.config import IngestConfig
from mtd.ingest.push import metrics
from mtd.ingest.push.building import events_of
from mtd.ingest.push.check import Bounds, Checked, Checker
from mtd.ingest.push.inventory import KnownDevices
from mtd.ingest.push.keys import KeyBook
from mtd.ingest.push.limits import Places, Rates
from mtd.ingest.push.rows import EventRow, Problem, PushBatch, TooLarge, Unreadable
from mtd.model.layout import Layout
from mtd.model.metric import Metric
from mtd.storage.stores.ingest_events import IngestEventStore

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

DUPLICATE = "duplicate"
_LAYOUTS_REMEMBERED = 50_000
_EVENTS_REMEMBERED = 100_000
_KNOWN_DEADLINE_S = 2.0
_PRUNE_S = 3600.0
_RETRY_S = 2.0
# What is behind by minutes isn't there in a moment.
_HELD_BACK_S = 15.0


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, for which tenant. ``name`` is stamped on what it sends, ``caller_id`` is what limits go by."""

    tenant_id: str
    name: str
    caller_id: str


@dataclass(frozen=True, slots=True)
class PushResult:
    """What became of a batch. ``problems`` are the rows that weren't taken, duplicates among them."""

    batch_id: str
    accepted: int
    duplicates: int
    problems: Sequence[Problem]
    warnings: Sequence[str]
    duplicate: bool = False

    @property
    def refused(self) -> int:
        """How many rows were refused."""
        return sum(problem.reason != DUPLICATE for problem in self.problems)


class NoRowGood(Refused):
    """Not a single row of a batch can be taken; ``problems`` says why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(f"no row of the batch can be taken; {first.row}: {first.text}")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the door needs of the rest of mtd.

    ``oldest_us`` returns the oldest time that is kept, by what time it is; ``pressure`` how full the buffer of
    mtd's own observations is, 0 to 1; ``held_back`` why nothing is taken in now, empty if it is.
    """

    log: Any
    catalogue: Iterable[Metric]
    devices: KnownDevices
    events: IngestEventStore
    oldest_us: Callable[[int], int]
    pressure: Callable[[], float]
    held_back: Callable[[], str] = lambda: ""


class PushDoor:
    """Takes batches."""

    def __init__(
        self,
        around: Surroundings,
        settings: IngestConfig,
        rates: Rates,
        places: Places,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._log = around.log
        self._devices = around.devices
        self._stored = around.events
        self._settings = settings
        self._clock = clock
        self._checker = Checker(KeyBook(around.catalogue), settings)
        self.rates = rates
        self.places = places
        self._oldest_us = around.oldest_us
        self._pressure = around.pressure
        self._held_back = around.held_back
        self._tasks = TaskGroup("ingest.push")
        self._layouts = _Layouts(settings, clock)
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()  # ids of events of late

    async def start(self) -> None:
        """Begin to forget old UUIDs now and then."""
        self._tasks.spawn("prune", self._prune())

    async def stop(self) -> None:
        """Stop."""
        await self._tasks.stop()

    @contextmanager
    def holding(self, sender: Sender, size: int) -> Iterator[None]:
        """Hold memory for a batch that was received. Raises QuotaExceeded if there is none for it."""
        if not self.places.hold(sender.caller_id, size):
            metrics.BATCHES.labels(outcome="limited").inc()
            metrics.LIMITED.labels(limit="memory").inc()
            raise QuotaExceeded("too much is worked on already", retry_after_s=_RETRY_S)
        try:
            yield
        finally:
            self.places.release(sender.caller_id, size)

    @contextmanager
    def reading(self, sender: Sender) -> Iterator[None]:
        """Read a batch within it, at one of the tenant's places: one that can't be read is counted.

        Raises QuotaExceeded if the tenant has none left.
        """
        try:
            with self.places.working(sender.tenant_id):
                yield
        except MtdError as error:
            metrics.BATCHES.labels(outcome=_outcome(error)).inc()
            raise

    async def push(self, sender: Sender, batch: PushBatch) -> PushResult:
        """Store a batch; its rows are durable when this returns.

        Raises NoRowGood, QuotaExceeded for who sends too much, and Retryable while the log can't take it.
        """
        began = self._clock.monotonic()
        try:
            with self.places.working(sender.tenant_id):
                result = await self._push(sender, batch)
        except BaseException as error:
            metrics.BATCHES.labels(outcome=_outcome(error)).inc()
            if isinstance(error, NoRowGood):
                _count(error.problems)
            raise
        metrics.BATCHES.labels(outcome=DUPLICATE if result.duplicate else "accepted").inc()
        metrics.BATCH_SECONDS.observe(self._clock.monotonic() - began)
        _count(result.problems)
        return result

    async def _push(self, sender: Sender, batch: PushBatch) -> PushResult:
        if self._pressure() > self._settings.push.full_at:
            metrics.LIMITED.labels(limit="pressure").inc()
            raise QuotaExceeded("the log is behind with what mtd observes itself", retry_after_s=_RETRY_S)
        if reason := self._held_back():
            metrics.LIMITED.labels(limit="pressure").inc()
            raise QuotaExceeded(f"mtd takes in nothing now: {reason}", retry_after_s=_HELD_BACK_S)
        await self.rates.take_values(sender.tenant_id, sender.caller_id, batch.size)
        tenant_id, now_us = sender.tenant_id, self._clock.now_us()
        names, labelled_names = await asyncio.to_thread(self._checker.named, batch)
        devices = await self._devices.of_tenant(tenant_id, names)
        labelled = {devices[name] for name in labelled_names if name in devices}
        labels = await self._devices.labels(tenant_id, labelled)
        newest_us = now_us + int(self._settings.max_future_s * 1e6)
        bounds = Bounds(self._oldest_us(now_us), newest_us, now_us)
        checked = await asyncio.to_thread(self._checker.check, batch, devices, labels, bounds)
        told = await self._told_before(tenant_id, checked)
        envelopes, layouts = await asyncio.to_thread(
            events_of, checked, tenant_id, sender.name, batch.group, now_us, self._layouts.is_declared
        )
        rows = checked.samples + len(checked.events)
        problems = [*checked.problems, *told]
        if not envelopes:
            if any(problem.reason != DUPLICATE for problem in problems):
                raise NoRowGood(problems)
            return PushResult(batch.batch_id or batch.digest.hex(), 0, len(told), problems, batch.warnings)
        self._layouts.take_new(sender.caller_id, len(layouts))
        stored = await self._append(envelopes, _batch_id(sender, batch))
        if not stored:
            return PushResult(
                batch.batch_id or batch.digest.hex(), 0, rows, problems, batch.warnings, duplicate=True
            )
        self._remember(tenant_id, layouts, checked.events)
        metrics.ROWS.labels(kind="samples", outcome="accepted").inc(checked.samples)
        metrics.ROWS.labels(kind="events", outcome="accepted").inc(len(checked.events))
        metrics.VALUES.inc(sum(len(values) for values in checked.frames.values()))
        duplicates = sum(problem.reason == DUPLICATE for problem in problems)
        return PushResult(batch.batch_id or batch.digest.hex(), rows, duplicates, problems, batch.warnings)

    async def _told_before(self, tenant_id: str, checked: Checked) -> list[Problem]:
        """Take those events out that were stored before; return a problem for each.

        What is still on its way to the database, or can't be looked up now, is found when it is projected.
        """
        if not checked.events:
            return []
        ids = {event.event_id for _, event in checked.events}
        known = {one for one in ids if (tenant_id, one) in self._told}
        try:
            async with asyncio.timeout(_KNOWN_DEADLINE_S):
                known |= await self._stored.known(tenant_id, ids - known)
        except (Retryable, TimeoutError):
            metrics.ROWS.labels(kind="events", outcome="not_looked_up").inc(len(ids))
        told = [event for _, event in checked.events if event.event_id in known]
        checked.events = [one for one in checked.events if one[1].event_id not in known]
        return [Problem(f"events/{event.number}", DUPLICATE, "it is stored already") for event in told]

    async def _append(self, envelopes: Sequence[Envelope], batch_id: bytes) -> bool:
        """Append; false if the batch was stored before. Who gives up waiting doesn't end the append."""
        appending: asyncio.Future[AppendResult] = asyncio.ensure_future(self._log.append(envelopes, batch_id))
        appending.add_done_callback(_look_at)
        done, _ = await asyncio.wait({appending}, timeout=self._settings.push.append_timeout_s)
        if not done:
            appending.cancel()
            raise LogUnavailable(
                "the log doesn't answer in time: send the same batch again, it is stored once"
            )
        return not appending.result().duplicate

    def _remember(
        self, tenant_id: str, layouts: Sequence[Layout], events: Sequence[tuple[str, EventRow]]
    ) -> None:
        self._layouts.declared(tenant_id, layouts)
        for _, event in events:
            self._told[tenant_id, event.event_id] = None
        while len(self._told) > _EVENTS_REMEMBERED:
            self._told.popitem(last=False)

    async def _prune(self) -> None:
        while True:
            try:
                await self._stored.prune(self._settings.push.event_memory_days)
            except Retryable:
                await asyncio.sleep(_RETRY_S)
                continue
            await asyncio.sleep(_PRUNE_S)


class _Layouts:
    """Which layouts were declared of late, and how many new ones each caller brought."""

    def __init__(self, settings: IngestConfig, clock: Clock) -> None:
        self._interval_s = settings.redeclare_interval_s
        self._most_new = settings.push.new_layouts_per_hour
        self._clock = clock
        self._at: OrderedDict[tuple[str, int], float] = OrderedDict()
        self._new: dict[str, tuple[float, int]] = {}

    def is_declared(self, tenant_id: str, layout: Layout) -> bool:
        """Return whether a layout was declared not long ago. Also called in threads."""
        at = self._at.get((tenant_id, layout.layout_id))
        return at is not None and self._clock.monotonic() - at < self._interval_s

    def declared(self, tenant_id: str, layouts: Sequence[Layout]) -> None:
        """Note that layouts stand in the log."""
        for layout in layouts:
            self._at[tenant_id, layout.layout_id] = self._clock.monotonic()
            self._at.move_to_end((tenant_id, layout.layout_id))
        while len(self._at) > _LAYOUTS_REMEMBERED:
            self._at.popitem(last=False)

    def take_new(self, caller_id: str, count: int) -> None:
        """Raise QuotaExceeded for who sends ever new sets of keys."""
        if not count:
            return
        now = self._clock.monotonic()
        began, brought = self._new.get(caller_id, (now, 0))
        if now - began >= 3600:
            began, brought = now, 0
        if brought + count > self._most_new:
            metrics.LIMITED.labels(limit="layouts").inc()
            raise QuotaExceeded(
                f"the caller has sent {brought} different sets of keys within the hour",
                retry_after_s=max(1.0, began + 3600 - now),
                hint="give the same keys in each row, and fewer rows with some of them",
            )
        if len(self._new) > _LAYOUTS_REMEMBERED:
            self._new = {one: known for one, known in self._new.items() if now - known[0] < 3600}
        self._new[caller_id] = began, brought + count


def _look_at(appended: asyncio.Future[AppendResult]) -> None:
    """See what became of an append that nobody waits for any more: who sent it comes again."""
    if not appended.cancelled():
        appended.exception()


def _batch_id(sender: Sender, batch: PushBatch) -> bytes:
    """Return the name of a batch in the log: of the sender's choice, or its content's; never another's."""
    digest = hashlib.sha256(f"push\0{sender.tenant_id}\0{sender.caller_id}\0".encode())
    digest.update(batch.batch_id.encode() if batch.batch_id else batch.digest)
    return uuid.UUID(bytes=digest.digest()[:16]).bytes


def _count(problems: Sequence[Problem]) -> None:
    for (kind, outcome), count in Counter(
        (one.row.partition("/")[0], one.reason) for one in problems
    ).items():
        metrics.ROWS.labels(kind=kind, outcome=outcome).inc(count)


def _outcome(error: BaseException) -> str:
    for kinds, outcome in (
        (NoRowGood, "refused"),
        (QuotaExceeded, "limited"),
        (Unreadable, "unreadable"),
        (TooLarge, "too_large"),
        (Retryable, "unavailable"),
        (Refused, "refused"),
        (MtdError, "failed"),
    ):
        if isinstance(error, kinds):
            return outcome
    return "failed"
