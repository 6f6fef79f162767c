"""What a batch means as events of the log: the same layouts and frames as those of polls. Pure, for a thread."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from mtd.ingest.push.check import Checked, SeriesName
from mtd.model.device import Severity
from mtd.model.events import Origin, frame_event, layout_event, state_event
from mtd.model.layout import Layout, shared_series
from mtd.model.metric import Lane
from mtd.model.observation import FrameValues, StateChange

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

PREFIX = "push:"
"""Poll groups of what was sent begin with it: no tier does."""

_LAYOUTS = 2000

IsDeclared = Callable[[str, Layout], bool]
"""Whether a tenant's layout was declared not long ago."""


def poll_group(source: str, group: str) -> str:
    """Return the poll group of what a source sends: its newest values are kept by it."""
    return f"{PREFIX}{source}/{group}" if group else PREFIX + source


def events_of(
    checked: Checked, tenant_id: str, source: str, group: str, now_us: int, is_declared: IsDeclared
) -> tuple[list[Envelope], list[Layout]]:
    """Return the events of a batch, in the order in which readers need them, and the layouts that they declare."""
    envelopes: list[Envelope] = []
    declared: dict[int, Layout] = {}
    where = poll_group(source, group)
    # By time, so that a reader of the log sees them as if they had been polled.
    for (device_id, at_us), values in sorted(checked.frames.items(), key=lambda one: one[0][1]):
        origin = Origin(tenant_id, source, device_id)
        layout = _layout(where, tuple(sorted(values)))
        if layout.layout_id not in declared and not is_declared(tenant_id, layout):
            declared[layout.layout_id] = layout
            envelopes.append(layout_event(origin, layout, at_us, now_us))
        envelopes.append(frame_event(origin, _frame(layout, at_us, values), now_us))
    for device_id, row in checked.events:
        change = StateChange(
            row.event_type,
            Severity(row.severity),
            row.entity_type or "device",
            row.entity_id or device_id,
            row.entity_label,
            row.field,
            row.old_value,
            row.new_value,
            row.message,
        )
        envelope = state_event(Origin(tenant_id, source, device_id), change, row.at_us, now_us)
        envelope.event_id = uuid.UUID(row.event_id).bytes
        envelopes.append(envelope)
    return envelopes, list(declared.values())


@lru_cache(maxsize=_LAYOUTS)
def _layout(where: str, names: tuple[SeriesName, ...]) -> Layout:
    return Layout.of(where, tuple(shared_series(metric, instance, lane) for metric, instance, lane in names))


def _frame(layout: Layout, at_us: int, values: Mapping[SeriesName, int | float]) -> FrameValues:
    lanes: dict[Lane, list[int | float]] = {lane: [] for lane in Lane}
    for entry in layout.series:
        lanes[entry.lane].append(values[entry.metric, entry.instance, entry.lane])
    return FrameValues(
        layout, at_us, [int(value) for value in lanes[Lane.COUNTER]], lanes[Lane.GAUGE], lanes[Lane.RATE]
    )
