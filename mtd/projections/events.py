"""Events, health timeline and status of devices."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.core.errors import Refused
from mtd.model.device import DeviceStatus, Outcome
from mtd.model.events import payload_kind, probe_facts_of
from mtd.model.pb_enums import OUTCOME, STATUS
from mtd.projections import metrics
from mtd.projections.errors import OutOfBounds
from mtd.projections.frames import FrameEncoder, TimeBounds
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.projections.joining import store_events
from mtd.projections.timeline import Timeline
from mtd.projections.transitions import DeviceTracker, late_outcomes
from mtd.storage.partitioned import DAY_US
from mtd.storage.partitions import DEVICE_HEALTH, EVENT, Partitions
from mtd.storage.stores.events import EventRow, HealthRow, insert_health, keep_positions, lock_positions
from mtd.storage.stores.evidence import part_ways
from mtd.storage.stores.ingest_events import GivenId, claim_ids, forget_ids
from mtd.storage.stores.late_health import correct_since, load_before
from mtd.storage.stores.positions import forget_rows
from mtd.storage.stores.status import forget_status, load_status, put_capabilities, put_status
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


_OF_STATUS = frozenset({"poll_outcome", "capability_probed"})


@implementer(IProjection)
class EventsProjection:
    """Writes ``event``, ``device_health``, ``device_status`` and ``device_capability``.

    All in one projection, because positions of events follow their order in
    the log, whatever they were derived from. ``timeline`` says which log lines are events, and which of them polls and traps tell as
    well: those are one event within ``join_window_s``.
    """

    name = "events"
    kinds = ("state_changed", "poll_outcome", "capability_probed", "log_batch")
    tables = ("event", "device_health")

    def __init__(
        self,
        partitions: Partitions,
        bounds: TimeBounds,
        timeline: Timeline | None = None,
        join_window_s: float = 0.0,
    ) -> None:
        self._partitions = partitions
        self._bounds = bounds
        self._timeline = timeline or Timeline()
        self._reach_us = int(join_window_s * 1e6)

    def begin(self, log_id: str, frames: FrameEncoder) -> EventsBatch:
        """Return an empty batch."""
        return EventsBatch(log_id, self._partitions, self._bounds, self._timeline, self._reach_us)

    async def forget(self, tx: Transaction, log_id: str, first_seq: int) -> None:
        """Put each device back to what it was before, so that replaying tells the same again."""
        await lock_positions(tx)
        await part_ways(tx, log_id, first_seq)
        await keep_positions(tx, log_id, first_seq)
        await forget_status(tx, log_id, first_seq)
        await forget_ids(tx, log_id, first_seq)
        await forget_rows(tx, self.tables, log_id, first_seq)


@implementer(IBatchWriter)
class EventsBatch:
    """Events of one transaction, in order."""

    def __init__(
        self, log_id: str, partitions: Partitions, bounds: TimeBounds, timeline: Timeline, reach_us: int
    ) -> None:
        self._log_id = log_id
        self._partitions = partitions
        self._bounds = bounds
        self._timeline = timeline
        self._reach_us = reach_us
        self._envelopes: list[tuple[int, Envelope]] = []
        self._lines: dict[int, list[EventRow]] = {}
        self._untold_lines = 0
        self._days_us: set[int] = set()

    def add(self, seq: int, envelope: Envelope) -> None:
        """Take in an event."""
        times_us = [envelope.collected_at_us]
        lines: list[EventRow] = []
        untold = 0
        if envelope.HasField("log_batch"):
            lines, untold = self._timeline.of_lines(seq, envelope)
            if not lines and not untold:
                return
            times_us = [row.collected_us for row in lines]
        self._bounds.check(envelope)
        try:
            for at_us in times_us:
                self._partitions.check(EVENT, at_us)
        except Refused:
            raise OutOfBounds("retention") from None
        self._days_us.update(at_us - at_us % DAY_US for at_us in times_us)
        self._envelopes.append((seq, envelope))
        self._lines[seq] = lines
        self._untold_lines += untold

    async def prepare(self) -> None:
        """Make the partitions of late events."""
        for table in (EVENT, DEVICE_HEALTH):
            await self._partitions.ensure(table, self._days_us)

    async def write(self, tx: Transaction) -> None:
        """Derive what the events mean for each device's status, and write it all."""
        envelopes = await self._told_first(tx)
        if not envelopes:
            return
        concerned = {
            (envelope.tenant_id, envelope.device_id)
            for _, envelope in envelopes
            if envelope.device_id and payload_kind(envelope) in _OF_STATUS
        }
        stored = await load_status(tx, concerned) if concerned else {}
        health = [_health(seq, one) for seq, one in envelopes if one.HasField("poll_outcome")]
        late = late_outcomes(stored, health)
        tracker = DeviceTracker(stored, await load_before(tx, late))
        reports = iter(health)
        events: list[EventRow] = []
        for seq, envelope in envelopes:
            kind = payload_kind(envelope)
            if kind == "state_changed":
                events.append(self._timeline.of_change(envelope, _state_changed(seq, envelope)))
            elif kind == "log_batch":
                events += self._lines[seq]
            elif kind == "poll_outcome":
                events += tracker.outcome(seq, envelope, next(reports))
            else:
                events += tracker.probed(seq, envelope, probe_facts_of(envelope.capability_probed))
        with self._partitions.expected(DEVICE_HEALTH):
            await insert_health(tx, self._log_id, health)
        await put_status(tx, self._log_id, tracker.changed)
        await correct_since(tx, late)
        await put_capabilities(tx, self._log_id, list(tracker.capabilities.values()))
        with self._partitions.expected(EVENT):
            await store_events(tx, self._log_id, events, self._reach_us)
        if self._untold_lines:
            metrics.EVENTS_DROPPED.labels(projection="events", reason="many_lines").inc(self._untold_lines)

    async def _told_first(self, tx: Transaction) -> list[tuple[int, Envelope]]:
        """Return the events but for those that were told before, under the UUID that their makers gave them."""
        given = [
            GivenId(envelope.tenant_id, str(uuid.UUID(bytes=envelope.event_id)), seq)
            for seq, envelope in self._envelopes
            if envelope.event_id
        ]
        told = await claim_ids(tx, self._log_id, given)
        if not told:
            return self._envelopes
        metrics.EVENTS_DROPPED.labels(projection="events", reason="duplicate").inc(len(told))
        return [(seq, envelope) for seq, envelope in self._envelopes if seq not in told]


def _state_changed(seq: int, envelope: Envelope) -> EventRow:
    changed = envelope.state_changed
    return EventRow(
        tenant_id=envelope.tenant_id,
        device_id=envelope.device_id or None,
        seq=seq,
        part=0,
        collected_us=envelope.collected_at_us,
        received_us=envelope.received_at_us,
        event_type=changed.event_type,
        severity=changed.severity or 1,
        entity_type=changed.entity_type,
        entity_id=changed.entity_id,
        entity_label=changed.entity_label,
        field=changed.field,
        old_value=changed.old_value,
        new_value=changed.new_value,
        message=changed.message,
    )


def _health(seq: int, envelope: Envelope) -> HealthRow:
    report = envelope.poll_outcome
    return HealthRow(
        tenant_id=envelope.tenant_id,
        device_id=envelope.device_id,
        seq=seq,
        collected_us=envelope.collected_at_us,
        received_us=envelope.received_at_us,
        consecutive_failures=report.consecutive_failures,
        polls_missed=report.polls_missed,
        retry_in_s=report.retry_in_s,
        outcome=OUTCOME.from_pb(report.outcome, Outcome.PROTOCOL_ERROR).value,
        status=STATUS.from_pb(report.status, DeviceStatus.UNKNOWN).value,
        poll_group=report.poll_group,
        reason=report.reason,
    )
