"""Observations as events, and events as observations again.

Pure: the caller says whose event it is and what time it is. What is built here
is what the log holds; the readers below are for those who consume the log and
have no need to know the protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtd.model.device import Severity
from mtd.model.layout import Layout, shared_series
from mtd.model.metric import Lane
from mtd.model.observation import CapabilityFact, Document, KeyRange, ProbeFacts, StateChange, TableChange
from mtd.model.pb_enums import FOUND_BY, LANE, OUTCOME, SEVERITY, STATUS
from mtd.model.sighting import FoundBy, Sighting
from mtd.pb.events.v1.envelope_pb2 import Envelope

if TYPE_CHECKING:
    from mtd.model.observation import FrameValues, Observation, OutcomeReport
    from mtd.pb.events.v1.discovery_pb2 import DeviceSeen
    from mtd.pb.events.v1.health_pb2 import CapabilityProbed
    from mtd.pb.events.v1.state_pb2 import Snapshot, StateChanged, TableDelta
    from mtd.pb.events.v1.telemetry_pb2 import Frame, SeriesLayout

MAX_UINT32 = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose event it is. ``device_id`` is empty if it is about the collector."""

    tenant_id: str
    collector_id: str
    device_id: str = ""
    lease_epoch: int = 0


def _envelope(origin: Origin, collected_us: int, received_us: int) -> Envelope:
    return Envelope(
        tenant_id=origin.tenant_id,
        collector_id=origin.collector_id,
        device_id=origin.device_id,
        collected_at_us=collected_us,
        received_at_us=received_us,
        lease_epoch=origin.lease_epoch,
    )


def frame_event(origin: Origin, frame: FrameValues, received_us: int) -> Envelope:
    """Build a ``Frame``. Raises ValueError for a counter beyond 64 bits.

    Some 10,000 of these are built per second: the lists go down whole, and the
    message is filled in place, because protobuf copies one that is passed in.
    """
    envelope = _envelope(origin, frame.collected_us, received_us)
    target = envelope.frame
    target.layout_id = frame.layout.layout_id
    counters = frame.counters
    if None in counters:
        target.counters_present = presence_bitmap(counters)
        target.counters.extend([0 if value is None else value for value in counters])
    else:
        target.counters.extend(counters)  # type: ignore[arg-type]  # no None among them
    target.gauges.extend(frame.gauges)
    target.rates.extend(frame.rates)
    if frame.low_confidence:
        target.low_confidence.extend(frame.low_confidence)
    target.poll_duration_us = min(max(frame.poll_duration_us, 0), MAX_UINT32)
    return envelope


def presence_bitmap(values: Sequence[object | None]) -> bytes:
    """Return one bit per value, least significant first, set where it is there."""
    there = np.fromiter((value is not None for value in values), dtype=np.bool_, count=len(values))
    return np.packbits(there, bitorder="little").tobytes()


def layout_event(origin: Origin, layout: Layout, collected_us: int, received_us: int) -> Envelope:
    """Build a ``SeriesLayout``, which must stand in the log before its frames."""
    envelope = _envelope(origin, collected_us, received_us)
    target = envelope.series_layout
    target.layout_id = layout.layout_id
    target.poll_group = layout.poll_group
    add = target.series.add
    for entry in layout.series:
        add(metric=entry.metric, instance=entry.instance, lane=LANE.to_pb(entry.lane))
    return envelope


def state_event(origin: Origin, change: StateChange, collected_us: int, received_us: int) -> Envelope:
    """Build a ``StateChanged``."""
    envelope = _envelope(origin, collected_us, received_us)
    target = envelope.state_changed
    target.event_type = change.event_type
    target.severity = SEVERITY.to_pb(change.severity)
    target.entity_type = change.entity_type
    target.entity_id = change.entity_id
    target.entity_label = change.entity_label
    target.field = change.field
    target.old_value = change.old
    target.new_value = change.new
    target.message = change.message
    target.logged_as = change.logged_as
    target.told_by = change.told_by
    return envelope


def table_event(origin: Origin, change: TableChange, collected_us: int, received_us: int) -> Envelope:
    """Build a ``TableDelta``."""
    envelope = _envelope(origin, collected_us, received_us)
    target = envelope.table_delta
    target.table = change.table
    target.complete = change.complete
    for key, fields in change.upserted.items():
        target.upserted.add(key=key, fields=fields)
    target.removed.extend(change.removed)
    if change.complete_within is not None:
        target.complete_within.SetInParent()
        target.complete_within.after = change.complete_within.after
        target.complete_within.up_to = change.complete_within.up_to
    return envelope


def snapshot_event(origin: Origin, document: Document, collected_us: int, received_us: int) -> Envelope:
    """Build a ``Snapshot``."""
    envelope = _envelope(origin, collected_us, received_us)
    target = envelope.snapshot
    target.kind = document.kind
    target.content = document.content
    target.sha256 = document.sha256
    return envelope


def outcome_event(origin: Origin, report: OutcomeReport, collected_us: int, received_us: int) -> Envelope:
    """Build a ``PollOutcome``."""
    envelope = _envelope(origin, collected_us, received_us)
    target = envelope.poll_outcome
    target.outcome = OUTCOME.to_pb(report.outcome)
    target.status = STATUS.to_pb(report.status)
    target.poll_group = report.poll_group
    target.reason = report.reason
    target.consecutive_failures = min(report.consecutive_failures, MAX_UINT32)
    target.polls_missed = min(report.polls_missed, MAX_UINT32)
    target.retry_in_s = report.retry_in_s
    return envelope


def probe_event(origin: Origin, facts: ProbeFacts, collected_us: int, received_us: int) -> Envelope:
    """Build a ``CapabilityProbed``."""
    envelope = _envelope(origin, collected_us, received_us)
    target = envelope.capability_probed
    target.routeros_version = facts.routeros_version
    target.routeros_major = facts.routeros_major
    target.board_name = facts.board_name
    target.architecture = facts.architecture
    target.identity = facts.identity
    target.serial_number = facts.serial_number
    for fact in facts.capabilities:
        target.capabilities.add(name=fact.name, present=fact.present, detail=fact.detail)
    return envelope


def seen_event(origin: Origin, sighting: Sighting, collected_us: int, received_us: int) -> Envelope:
    """Build a ``DeviceSeen``."""
    envelope = _envelope(origin, collected_us, received_us)
    target = envelope.device_seen
    target.found_by = FOUND_BY.to_pb(sighting.found_by)
    for name in _SEEN_TEXTS:
        setattr(target, name, getattr(sighting, name))
    target.ports.extend(sighting.ports)
    return envelope


_SEEN_TEXTS = (
    "address",
    "mac_address",
    "identity",
    "platform",
    "version",
    "board",
    "software_id",
    "interface_name",
)


def observation_events(
    origin: Origin, observation: Observation, received_us: int, *, declare: bool = False
) -> list[Envelope]:
    """Build the events of an observation, in the order in which a reader needs them.

    With ``declare``, the layout of its frame comes first.
    """
    at = observation.collected_us
    events: list[Envelope] = []
    if observation.frame is not None:
        if declare:
            events.append(layout_event(origin, observation.frame.layout, at, received_us))
        events.append(frame_event(origin, observation.frame, received_us))
    # Tables before changes: who reads "ether1 went down" can look ether1 up.
    events.extend(table_event(origin, change, at, received_us) for change in observation.tables)
    events.extend(state_event(origin, change, at, received_us) for change in observation.state_changes)
    events.extend(snapshot_event(origin, document, at, received_us) for document in observation.documents)
    return events


# -- reading ------------------------------------------------------------------


def emptied(envelope: Envelope, tenant_id: str) -> Envelope:
    """Return what keeps the place of an event that can't be passed on: positions have no holes."""
    kept = Envelope(tenant_id=tenant_id, collected_at_us=envelope.collected_at_us)
    kept.collector_id = envelope.collector_id
    return kept


def payload_kind(envelope: Envelope) -> str:
    """Return what an event is: ``frame``, ``state_changed``, ...; empty if it is newer than we are."""
    return envelope.WhichOneof("payload") or ""


def frame_counters(frame: Frame) -> list[int | None]:
    """Return the counters of a frame; None where the router gave none."""
    counters: list[int | None] = list(
        frame.counters[:]
    )  # copied whole: walking a field costs three times that
    if frame.counters_present:
        for position in _absent(frame.counters_present, len(counters)):
            counters[position] = None
    return counters


def _absent(bitmap: bytes, count: int) -> Iterable[int]:
    """Return the positions whose bits aren't set; a bitmap that is too short says nothing of the rest."""
    bits = np.unpackbits(np.frombuffer(bitmap, dtype=np.uint8), count=count, bitorder="little")
    return np.flatnonzero(bits == 0).tolist()


def layout_of(declared: SeriesLayout) -> Layout:
    """Return the layout that a ``SeriesLayout`` declares, with the id it was declared under."""
    series = tuple(
        shared_series(entry.metric, entry.instance, LANE.from_pb(entry.lane, Lane.GAUGE))
        for entry in declared.series
    )
    return Layout(declared.poll_group, series, declared.layout_id)


def state_change_of(changed: StateChanged) -> StateChange:
    """Return what a ``StateChanged`` says."""
    return StateChange(
        event_type=changed.event_type,
        severity=SEVERITY.from_pb(changed.severity, Severity.INFO),
        entity_type=changed.entity_type,
        entity_id=changed.entity_id,
        entity_label=changed.entity_label,
        field=changed.field,
        old=changed.old_value,
        new=changed.new_value,
        message=changed.message,
        logged_as=changed.logged_as,
        told_by=changed.told_by,
    )


def table_change_of(delta: TableDelta) -> TableChange:
    """Return what a ``TableDelta`` says."""
    rows: Mapping[str, Mapping[str, str]] = {row.key: dict(row.fields) for row in delta.upserted}
    return TableChange(delta.table, delta.complete, rows, list(delta.removed), key_range_of(delta))


def key_range_of(delta: TableDelta) -> KeyRange | None:
    """Return of which keys a change tells all rows; None if of all, or of none."""
    if not delta.HasField("complete_within"):
        return None
    return KeyRange(delta.complete_within.after, delta.complete_within.up_to)


def document_of(snapshot: Snapshot) -> Document:
    """Return the document of a ``Snapshot``."""
    return Document(snapshot.kind, snapshot.content, snapshot.sha256)


def probe_facts_of(probed: CapabilityProbed) -> ProbeFacts:
    """Return what a ``CapabilityProbed`` says."""
    return ProbeFacts(
        routeros_version=probed.routeros_version,
        routeros_major=probed.routeros_major,
        board_name=probed.board_name,
        architecture=probed.architecture,
        identity=probed.identity,
        serial_number=probed.serial_number,
        capabilities=tuple(
            CapabilityFact(fact.name, fact.present, fact.detail) for fact in probed.capabilities
        ),
    )


def sighting_of(seen: DeviceSeen) -> Sighting:
    """Return what a ``DeviceSeen`` says."""
    texts = {name: getattr(seen, name) for name in _SEEN_TEXTS}
    return Sighting(FOUND_BY.from_pb(seen.found_by, FoundBy.MNDP), ports=tuple(seen.ports), **texts)
