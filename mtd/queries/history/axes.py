"""When the polls of closed hours were: all series of a poll group share it, so it is read once and kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from mtd.codec.blocks import decode_axis
from mtd.queries.history.points import Times
from mtd.storage.cold.blocks import read_axes
from mtd.storage.cold.connection import ColdConnection, timestamp

GroupHour = tuple[str, int]
"""A poll group, and the start of an hour in microseconds."""

_Key = tuple[str, str, int, str]

# What tells whether a row is still the one that was read: late frames replace it.
_VERSIONS = """
SELECT poll_group, to_us(hour), xmin::text FROM telemetry_axis
WHERE device_id = %s AND poll_group = ANY (%s::text[]) AND hour >= %s AND hour < %s
"""


@dataclass(frozen=True, slots=True, eq=False)
class HourTimes:
    """The polls of one hour: their times in microseconds since the epoch, and their usual distance."""

    us: Times
    step_ms: int


class AxisCache:
    """Keeps the times of at most ``most`` hours of poll groups, 30 KB each at a poll per second. For any thread."""

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, HourTimes] = OrderedDict()

    def read(
        self, conn: ColdConnection, device_id: str, groups: Collection[str], start_us: int, end_us: int
    ) -> dict[GroupHour, HourTimes]:
        """Return the times of the hours that begin in [start, end)."""
        versions = {
            (group, hour_us): (device_id, group, hour_us, version)
            for group, hour_us, version in conn.fetch(
                _VERSIONS, (device_id, sorted(groups), timestamp(start_us), timestamp(end_us))
            )
        }
        found = self._known(versions.values())
        missing = [name for name, key in versions.items() if key not in found]
        if missing:
            hours = [hour_us for _, hour_us in missing]
            for row in read_axes(
                conn, device_id, sorted({group for group, _ in missing}), min(hours), max(hours) + 1
            ):
                key = versions[row.poll_group, row.hour_us]
                if key not in found:
                    us = decode_axis(row.axis)
                    us *= 1000
                    us += row.hour_us
                    us.setflags(write=False)
                    found[key] = HourTimes(us, row.axis.step_ms)
            self._keep(found)
        return {name: found[key] for name, key in versions.items()}

    def _known(self, keys: Iterable[_Key]) -> dict[_Key, HourTimes]:
        with self._lock:
            found = {key: self._kept[key] for key in keys if key in self._kept}
            for key in found:
                self._kept.move_to_end(key)
        return found

    def _keep(self, found: dict[_Key, HourTimes]) -> None:
        with self._lock:
            self._kept.update(found)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
