"""The recorder: from an observation to events on their way to the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from mtd.core import tracing
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.limits import TokenBucket
from mtd.core.service import TaskGroup
from mtd.core.slices import Steps, at_once
from mtd.ingest import metrics
from mtd.ingest.buffer import Buffer, Entry, Urgency
from mtd.ingest.config import IngestConfig
from mtd.ingest.flusher import Flusher
from mtd.ingest.incidents import Incidents
from mtd.ingest.known import Known
from mtd.ingest.validate import NotAccepted, Validator, mask_unusable_counters
from mtd.model import events
from mtd.model.events import Origin, payload_kind
from mtd.model.logs import log_event

if TYPE_CHECKING:
    from mtd.eventlog.interfaces import IEventLog
    from mtd.model.device import Device
    from mtd.model.logs import LogEntry
    from mtd.model.observation import (
        Document,
        FrameValues,
        Observation,
        OutcomeReport,
        ProbeFacts,
        StateChange,
    )
    from mtd.model.sighting import Sighting
    from mtd.pb.events.v1.envelope_pb2 import Envelope

logger = logging.getLogger(__name__)

# Log lines about what was refused: one per 5 s, after the first few. All are counted.
_COMPLAINTS_PER_S = 0.2
_COMPLAINTS_AT_ONCE = 5
_CHANGES_OF_A_STEP = 25


class Fence(Protocol):
    """Which devices are polled here at this moment, and under which epoch: see `ISeat`."""

    def may_poll(self, device_id: str) -> bool:
        """Whether what a device answered may be recorded."""

    def epoch_of(self, device_id: str) -> int:
        """Return the epoch of its assignment; 0 without."""


class Recorder:
    """Turns what was observed into events, and brings them to the log.

    The ``record`` methods are synchronous and cheap, and don't raise for data
    that can't be recorded: it is counted and logged with its reason. While the
    log takes nothing, events are held in a bounded buffer; ``pressure`` tells
    the scheduler to poll less. When the buffer is full all the same, the least
    urgent events are given up, T3 first and T0 last, and counted; the loss
    becomes an event of its own.

    ``fence``, once it is set, has nothing recorded of a device that another collector may poll by now: that is
    refused, and counted with the reason ``lease_over``.
    """

    def __init__(
        self,
        log: IEventLog,
        *,
        collector_id: str,
        settings: IngestConfig | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._settings = settings or IngestConfig()
        self._collector_id = collector_id
        self._clock = clock
        self._buffer = Buffer(self._settings.buffer_events, self._settings.buffer_bytes)
        self._known = Known(self._settings)
        self._validator = Validator(self._settings)
        self._complaints = TokenBucket(_COMPLAINTS_PER_S, _COMPLAINTS_AT_ONCE, clock=clock)
        self._incidents = Incidents(collector_id, clock, self._settings.report_interval_s, self._record_own)
        self._flusher = Flusher(log, self._buffer, self._settings, self._incidents, self._lost)
        self._lost_tables: dict[str, set[str]] = {}  # by device
        self._tasks = TaskGroup("ingest")
        self._stopped = False
        self.fence: Fence | None = None
        self.interval_s_of: Callable[[Device, str], float] | None = None
        """Returns how often a poll group of a device is polled, in seconds, 0 if at no fixed pace; for those that
        several collectors poll."""

    async def start(self) -> None:
        """Begin to bring events to the log, which has to be open. What was recorded before waits."""
        self._stopped = False
        self._tasks.spawn("flush", self._flusher.run())

    async def stop(self) -> None:
        """Bring what is buffered to the log, within ``stop_timeout_s``; what is left then is lost, loudly."""
        try:
            await asyncio.wait_for(self._flusher.flush(), self._settings.stop_timeout_s)
        except TimeoutError:
            logger.error("the log did not take the last %d events in time", self._buffer.events)
        self._stopped = True
        await self._tasks.stop()
        self._lost(self._buffer.clear(), "stopped")

    async def flush(self) -> None:
        """Return when all that was recorded before is durable, or was given up."""
        await self._flusher.flush()

    def tell_again(self, within_s: float) -> None:
        """Declare all layouts again, and have the tables told whole that changed within this time.

        For who reads the log from now on, and gets what was recorded before only later.
        """
        self._known.forget_layouts()
        for device_id, table in self._known.tables_told_since(self._clock.monotonic() - within_s):
            self._lost_tables.setdefault(device_id, set()).add(table)

    @property
    def pressure(self) -> float:
        """How full the buffer is, 0 to 1: it fills while the log is slow or takes nothing."""
        return self._buffer.fill

    # -- what was observed -----------------------------------------------------

    def record(self, device: Device, observation: Observation) -> None:
        """Record what a poll brought. A part that can't be recorded doesn't hold up the others."""
        at_once(self.recording(device, observation))

    def recording(self, device: Device, observation: Observation) -> Steps[None]:
        """Return the steps of ``record``, for an observation that may be large."""
        steps = self._recording(device, observation)
        return tracing.stepping("record", steps) if tracing.is_on() else steps

    def _recording(self, device: Device, observation: Observation) -> Steps[None]:
        origin = self._polled(device)
        now_us = self._clock.now_us()
        with self._accepting(origin):
            self._refuse_without_lease(origin)
            self._validator.check_time(observation.collected_us, now_us)
            urgency = Urgency.T1
            if observation.frame is not None:
                urgency = Urgency.of_poll_group(observation.frame.layout.poll_group)
                self._record_frame(origin, device, observation.frame, urgency, now_us)
            yield from self._record_tables(origin, observation, urgency, now_us)
            yield from self._record_changes(origin, observation, now_us)
            self._record_documents(origin, observation, urgency, now_us)

    def take_lost_tables(self, device: Device) -> Collection[str]:
        """Return the current-state tables of a device of which changes got lost on the way to the log, once.

        Whoever reads them has to tell them again: nothing else will put right what projections hold.
        """
        return self._lost_tables.pop(device.device_id, ()) if self._lost_tables else ()

    def record_outcome(self, device: Device, report: OutcomeReport, *, polled: bool = True) -> None:
        """Record what came of a poll or of a connection attempt, or that none can be made if it isn't ``polled``."""
        origin = self._polled(device) if polled else self._origin(device)
        now_us = self._clock.now_us()
        with self._accepting(origin):
            if polled:
                self._refuse_without_lease(origin)
            self._add(Urgency.CONTROL, events.outcome_event(origin, report, now_us, now_us))

    def record_probe(self, device: Device, facts: ProbeFacts) -> None:
        """Record what a capability probe found."""
        origin, now_us = self._polled(device), self._clock.now_us()
        with self._accepting(origin):
            self._refuse_without_lease(origin)
            self._add(Urgency.CONTROL, events.probe_event(origin, facts, now_us, now_us))

    def record_event(self, change: StateChange, device: Device | None = None) -> None:
        """Record a change of a device's state, or of the collector's own."""
        now_us = self._clock.now_us()
        if device is None:
            self._record_own(change, now_us)
        else:
            self.record_pushed_event(device, change, now_us)

    def record_pushed_event(self, device: Device, change: StateChange, at_us: int) -> bool:
        """Record a change that a device told by itself at some time; return whether it is on its way."""
        origin = self._origin(device)
        with self._accepting(origin):
            self._add(Urgency.CONTROL, events.state_event(origin, change, at_us, self._clock.now_us()))
            return True
        return False

    def record_event_of(self, tenant_id: str, change: StateChange, device_id: str = "") -> None:
        """Record a change of something that a tenant has: no device, or one that isn't polled here."""
        origin, now_us = Origin(tenant_id, self._collector_id, device_id), self._clock.now_us()
        with self._accepting(origin):
            self._add(Urgency.CONTROL, events.state_event(origin, change, now_us, now_us))

    def record_document(self, device: Device, document: Document) -> None:
        """Record a document about a device that no poll brought."""
        origin, now_us = self._origin(device), self._clock.now_us()
        with self._accepting(origin):
            self._validator.check_document(document)
            self._add(Urgency.T3, events.snapshot_event(origin, document, now_us, now_us))

    def record_sighting(self, tenant_id: str, sighting: Sighting) -> None:
        """Record that something was seen that looks like a router."""
        origin, now_us = Origin(tenant_id, self._collector_id), self._clock.now_us()
        with self._accepting(origin):
            self._add(Urgency.T3, events.seen_event(origin, sighting, now_us, now_us))

    def record_lines(self, device: Device, sender: str, entries: Sequence[LogEntry]) -> bool:
        """Record lines of a device's log, whoever polls it; return whether they are on their way.

        Where there is no room for all, they are among what is given up first.
        """
        origin, now_us = self._origin(device), self._clock.now_us()
        with self._accepting(origin):
            self._add(Urgency.T3, log_event(origin, sender, entries, now_us))
            return True
        return False

    def record_pushed(self, device: Device, event: Envelope) -> bool:
        """Record flows or lines that a device sent, in an event that says nothing of whose they are; return as above."""
        origin = self._origin(device)
        with self._accepting(origin):
            event.tenant_id, event.device_id = origin.tenant_id, origin.device_id
            event.collector_id = origin.collector_id
            self._add(Urgency.T3, event)
            return True
        return False

    def _polled(self, device: Device) -> Origin:
        epoch = 0 if self.fence is None else self.fence.epoch_of(device.device_id)
        return Origin(device.tenant_id, self._collector_id, device.device_id, epoch)

    def _refuse_without_lease(self, origin: Origin) -> None:
        """Raise NotAccepted for a device that another collector may poll by now."""
        if self.fence is not None and not self.fence.may_poll(origin.device_id):
            raise NotAccepted(
                "lease_over", "the lease of its collector is over: another one may poll it by now"
            )

    def _origin(self, device: Device) -> Origin:
        return Origin(device.tenant_id, self._collector_id, device.device_id)

    def _record_own(self, change: StateChange, at_us: int) -> None:
        origin = Origin(self._settings.own_tenant_id, self._collector_id)
        with self._accepting(origin):
            self._add(Urgency.CONTROL, events.state_event(origin, change, at_us, self._clock.now_us()))

    def _record_frame(
        self, origin: Origin, device: Device, frame: FrameValues, urgency: Urgency, now_us: int
    ) -> None:
        with self._accepting(origin):
            self._validator.check_time(frame.collected_us, now_us)
            self._validator.check_frame(frame)
            try:
                envelope = events.frame_event(origin, frame, now_us)
            except (ValueError, TypeError):
                metrics.MASKED_COUNTERS.inc(mask_unusable_counters(frame))
                envelope = events.frame_event(origin, frame, now_us)
            if device.redundancy > 1:
                self._mark_redundant(envelope, device, frame.layout.poll_group)
            self._declare(origin, frame, now_us)
            self._add(urgency, envelope)

    def _mark_redundant(self, envelope: Envelope, device: Device, poll_group: str) -> None:
        """Say that another collector tells the same, and of which interval one poll is to be kept."""
        interval_s = 0.0 if self.interval_s_of is None else self.interval_s_of(device, poll_group)
        if interval_s > 0:
            envelope.redundant.interval_us = round(interval_s * 1e6)
            envelope.redundant.poll_group = poll_group

    def _declare(self, origin: Origin, frame: FrameValues, now_us: int) -> None:
        """Declare a frame's layout in front of it, if that is due."""
        owner, layout = (origin.tenant_id, origin.device_id), frame.layout
        now = self._clock.monotonic()
        if self._known.layout_is_due(owner, layout, now):
            envelope = events.layout_event(origin, layout, frame.collected_us, now_us)
            # Noted first: if it is given up at once, that is noted after.
            self._known.layout_declared(owner, layout, now)
            self._add(Urgency.CONTROL, envelope)

    def _record_tables(
        self, origin: Origin, observation: Observation, urgency: Urgency, now_us: int
    ) -> Steps[None]:
        for table in observation.tables:
            with self._accepting(origin):
                self._validator.check_table(table)
                self._add(urgency, events.table_event(origin, table, observation.collected_us, now_us))
                owner = (origin.tenant_id, origin.device_id)
                self._known.table_told(owner, table.table, self._clock.monotonic())
            yield None

    def _record_changes(self, origin: Origin, observation: Observation, now_us: int) -> Steps[None]:
        cap, changes = self._settings.max_state_changes, observation.state_changes
        for number, change in enumerate(changes[:cap], start=1):
            with self._accepting(origin):
                envelope = events.state_event(origin, change, observation.collected_us, now_us)
                self._add(Urgency.CONTROL, envelope)
            if number % _CHANGES_OF_A_STEP == 0:
                yield None
        for _ in changes[cap:]:
            self._refuse(origin, "too_many", f"{len(changes)} state changes at once are over the cap {cap}")

    def _record_documents(
        self, origin: Origin, observation: Observation, urgency: Urgency, now_us: int
    ) -> None:
        owner = (origin.tenant_id, origin.device_id)
        now = self._clock.monotonic()
        for document in observation.documents:
            if not self._known.document_changed(owner, document, now):
                metrics.UNCHANGED_DOCUMENTS.inc()
                continue
            with self._accepting(origin):
                self._validator.check_document(document)
                envelope = events.snapshot_event(origin, document, observation.collected_us, now_us)
                self._validator.check_size(envelope.ByteSize())
                self._known.document_recorded(owner, document, now)
                self._add(urgency, envelope)

    # -- into the buffer, or not -------------------------------------------------

    def _add(self, urgency: Urgency, envelope: Envelope) -> None:
        """Put an event into the buffer. Raises NotAccepted if it is too large."""
        if carried := tracing.carried():
            envelope.trace_context = carried
        size = envelope.ByteSize()
        self._validator.check_size(size)
        metrics.recorded(payload_kind(envelope)).inc()
        lost = self._buffer.add(urgency, (envelope,), size)
        if lost:
            self._lost(lost, "buffer_full")
        if self._stopped:
            self._lost(self._buffer.clear(), "stopped")
        self._flusher.notice()

    def _lost(self, entries: Sequence[Entry], reason: str) -> None:
        for entry in entries:
            for envelope in entry.envelopes:
                self._known.lost(envelope)
                kind = payload_kind(envelope)
                if kind == "log_batch":
                    metrics.DROPPED_LINES.inc(sum(1 + line.repeats for line in envelope.log_batch.lines))
                elif kind == "flow_batch":
                    metrics.DROPPED_FLOWS.inc(envelope.flow_batch.records)
                elif kind == "table_delta":
                    lost = self._lost_tables.setdefault(envelope.device_id, set())
                    lost.add(envelope.table_delta.table)
        self._incidents.lost(entries, reason)

    def _accepting(self, origin: Origin) -> _Accepting:
        return _Accepting(self, origin)

    def _refuse(self, origin: Origin, reason: str, text: object) -> None:
        metrics.REFUSED.labels(reason=reason).inc()
        if self._complaints.take():
            logger.warning(
                "an observation of device %s is not recorded: %s", origin.device_id or "(none)", text
            )


class _Accepting:
    """Ends a part of the work early if what was observed can't be recorded."""

    __slots__ = ("_origin", "_recorder")

    def __init__(self, recorder: Recorder, origin: Origin) -> None:
        self._recorder = recorder
        self._origin = origin

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> bool:
        if isinstance(error, NotAccepted):
            self._recorder._refuse(self._origin, error.reason, error)
            return True
        if isinstance(error, ValueError | TypeError):
            # Text that is no Unicode, a number of another type: what protobuf refuses.
            self._recorder._refuse(self._origin, "not_encodable", error)
            return True
        return False
