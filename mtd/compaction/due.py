"""Which units an hour has: devices and poll groups with frames in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtd.compaction.store import Unit, UnitStore
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.frames import StoredLayout, devices_in
from mtd.storage.cold.upkeep import layouts_in


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """A unit that has frames, and their layouts."""

    unit: Unit
    tenant_id: str
    layouts: Sequence[StoredLayout]


@dataclass(frozen=True, slots=True, eq=False)
class DueHour:
    """The units of an hour; ``unknown`` counts frames whose layout was never declared, by its id."""

    units: list[Due] = field(default_factory=list)
    unknown: Mapping[str, int] = field(default_factory=dict)


def due_units(connection: ColdConnection, store: UnitStore, hour_us: int) -> DueHour:
    """Return what an hour has to compact, device by device."""
    units: list[Due] = []
    unknown: dict[str, int] = {}
    for tenant_id, device_id in devices_in(connection, hour_us):
        counts = layouts_in(connection, device_id, hour_us)
        known = store.layouts([(tenant_id, layout_id) for layout_id in counts])
        groups: dict[str, list[StoredLayout]] = {}
        for layout_id, count in counts.items():
            layout = known.get((tenant_id, layout_id))
            if layout is None:
                unknown[str(layout_id)] = unknown.get(str(layout_id), 0) + count
            else:
                groups.setdefault(layout.poll_group, []).append(layout)
        units += [
            Due(Unit(device_id, group, hour_us), tenant_id, found) for group, found in sorted(groups.items())
        ]
    return DueHour(units, unknown)
