"""Frames of one device: which there are, and the values of some series in them, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mtd.model.metric import Lane
from mtd.queries.history.points import Points, Times
from mtd.queries.resolution import HOUR_US, SECOND_US
from mtd.storage.cold.columns import column_of, times_of
from mtd.storage.cold.connection import ColdConnection, timestamp

REACH_US = 24 * HOUR_US
"""How far back the counter is looked for that growth begins with, as when hours are compacted."""

# Nearly always it is in the newest frame.
_LOOKS_BACK_US = (60 * SECOND_US, HOUR_US, REACH_US)
_ARRAYS = {Lane.COUNTER: "counters", Lane.GAUGE: "gauges", Lane.RATE: "rates"}
# to_timestamp would round; the bounds are written out so that the planner sees the partitions.
_IN_SPAN = "f.device_id = %s AND f.ts_collected >= %s AND f.ts_collected < %s"
_COUNT = f"""
SELECT layout_id, to_us(date_bin('1 hour', ts_collected, timestamptz '1970-01-01 00:00:00+00')),
       count(*) FILTER (WHERE ts_collected >= %s AND ts_collected < %s)
FROM telemetry_frame f WHERE {_IN_SPAN} GROUP BY 1, 2
"""  # noqa: S608 - composed of constants
# Two columns each, of the 1664 that a statement may have.
_COLUMNS_AT_ONCE = 500
# From so many subscripts on it is cheaper to take arrays apart once: each fetches what stands out of line.
_MANY = 8


class Place(NamedTuple):
    """Where frames have a value: ``position`` is the subscript in the lane's array."""

    layout_id: int
    lane: Lane
    position: int


@dataclass(frozen=True, slots=True)
class HotFrames:
    """How many frames there are in the hours that a range touches, from ``start_us`` to ``end_us``.

    ``counts``: by layout, within the range. ``hours``: the starts of those hours
    that have frames, inside the range, beside it, or within the reach before it.
    """

    device_id: str
    start_us: int
    end_us: int
    counts: Mapping[int, int]
    hours: frozenset[int]

    @classmethod
    def find(cls, conn: ColdConnection, device_id: str, start_us: int, end_us: int) -> HotFrames:
        """Count the frames of [start, end), and look at the whole hours; from the index alone where it can be."""
        first_us, last_us = whole_hours(start_us, end_us)
        rows = conn.fetch(
            _COUNT,
            [*map(timestamp, (start_us, end_us)), device_id, *map(timestamp, (first_us - REACH_US, last_us))],
        )
        counts: dict[int, int] = {}
        for layout_id, _, count in rows:
            counts[layout_id] = counts.get(layout_id, 0) + count
        return cls(device_id, first_us, last_us, counts, frozenset(hour for _, hour, _ in rows))

    @property
    def layouts(self) -> list[int]:
        """The layouts that frames have."""
        return sorted(self.counts)

    def entries(self, conn: ColdConnection, tenant_id: str) -> Iterable[tuple[str, str, Place]]:
        """Yield metric, instance and place of all that the frames hold."""
        if not self.counts:
            return
        for layout_id, lane, position, metric, instance in conn.fetch(
            "SELECT layout_id, lane, position, metric, instance FROM series_layout_entry"
            " WHERE tenant_id = %s AND layout_id = ANY (%s::int8[]) ORDER BY layout_id, lane, position",
            (tenant_id, self.layouts),
        ):
            yield metric, instance, Place(layout_id, Lane(lane), position)

    def groups(self, conn: ColdConnection, tenant_id: str) -> dict[int, str]:
        """Return the poll group of each layout."""
        if not self.counts:
            return {}
        return dict(
            conn.fetch(
                "SELECT layout_id, poll_group FROM series_layout WHERE tenant_id = %s AND layout_id = ANY (%s::int8[])",
                (tenant_id, self.layouts),
            )
        )


def whole_hours(start_us: int, end_us: int) -> tuple[int, int]:
    """Return the hours that [start, end) touches, from the start of the first to the end of the last."""
    return start_us // HOUR_US * HOUR_US, -(-end_us // HOUR_US) * HOUR_US


class HotValues:
    """The values of some places over the whole hours, read together."""

    def __init__(self) -> None:
        self.polls: dict[int, Times] = {}
        """When the frames of each layout were collected."""
        self._values: dict[Place, Points] = {}

    @classmethod
    def read(cls, conn: ColdConnection, hot: HotFrames, places: Iterable[Place]) -> HotValues:
        """Read the values of all places, and the times of all layouts that have one of them."""
        found = cls()
        for layout_id, us in found._read(conn, hot.device_id, places, hot.start_us, hot.end_us):
            found.polls[layout_id] = us
        return found

    def look_back(
        self, conn: ColdConnection, hot: HotFrames, series: Iterable[Sequence[Place]], start_us: int
    ) -> None:
        """Read the last points before ``start_us`` of series, each given by its places; within the reach."""
        missing = [places for places in series if not self._begin_before(places, start_us)]
        until_us = hot.start_us
        for reach_us in _LOOKS_BACK_US:
            since_us = hot.start_us - reach_us
            if missing and any(since_us - HOUR_US < hour < until_us for hour in hot.hours):
                places = [place for some in missing for place in some]
                for _ in self._read(conn, hot.device_id, places, since_us, until_us):
                    pass
                missing = [some for some in missing if not self._begin_before(some, start_us)]
            until_us = since_us

    def _begin_before(self, places: Iterable[Place], us: int) -> bool:
        """Return whether two points of a series before a time are known: what a fall was is told by two."""
        found = (self._values.get(place) for place in places)
        return sum(int(np.searchsorted(points[0][:2], us)) for points in found if points is not None) > 1

    def of(self, place: Place) -> Points | None:
        """Return times and values at a place, absent ones left out; None if there is no frame."""
        return self._values.get(place)

    def _read(
        self, conn: ColdConnection, device_id: str, places: Iterable[Place], since_us: int, until_us: int
    ) -> Iterator[tuple[int, Times]]:
        """Read [since, until), which is before all that was read of these places; yield when each layout was polled."""
        by_layout: dict[int, list[Place]] = {}
        for place in dict.fromkeys(places):
            by_layout.setdefault(place.layout_id, []).append(place)
        for layout_id, wanted in by_layout.items():
            for first in range(0, len(wanted), _COLUMNS_AT_ONCE):
                some = wanted[first : first + _COLUMNS_AT_ONCE]
                row = _columns(conn, device_id, some, since_us, until_us)
                if row[0] is None:
                    continue
                us = times_of(row[0])
                yield layout_id, us
                self._take(some, us, row[1:])

    def _take(self, places: Iterable[Place], us: Times, row: Iterable[bytes | None]) -> None:
        cells = iter(row)
        for place in places:
            values = column_of(next(cells), len(us))
            if place.lane is Lane.COUNTER:
                there = ~column_of(next(cells), len(us)).astype(np.bool_)
            else:
                values = values.astype(np.float64)
                there = ~np.isnan(values)
            points = (us, values) if there.all() else (us[there], values[there])
            later = self._values.get(place)
            if later is not None:
                points = np.concatenate((points[0], later[0])), np.concatenate((points[1], later[1]))
            self._values[place] = points


def _columns(
    conn: ColdConnection, device_id: str, wanted: Sequence[Place], since_us: int, until_us: int
) -> list[bytes | None]:
    """Return the times of frames of one layout, and the columns of the places, as arrays in one row."""
    columns = ", ".join(map(_columns_of, wanted))
    arrays = {_ARRAYS[place.lane] for place in wanted}
    subscripts = columns.count("[")
    rows = conn.fetch_raw(
        f"SELECT array_agg(ts_collected), {columns} FROM ("  # noqa: S608 - composed of constants and integers
        f"SELECT ts_collected, {', '.join(_array(name, subscripts) for name in sorted(arrays))}"
        f" FROM telemetry_frame f WHERE {_IN_SPAN} AND layout_id = %s ORDER BY ts_collected, seq OFFSET 0) f",
        (device_id, timestamp(since_us), timestamp(until_us), wanted[0].layout_id),
    )
    return next(rows)


def _array(name: str, subscripts: int) -> str:
    # To join it with nothing unpacks it, once for all subscripts.
    return f"{name} || '{{}}' AS {name}" if subscripts >= _MANY else name


def _columns_of(place: Place) -> str:
    value = f"{_ARRAYS[place.lane]}[{int(place.position)}]"
    if place.lane is Lane.COUNTER:
        return f"array_agg(coalesce({value}, 0)), array_agg({value} IS NULL)"
    kind = "float8" if place.lane is Lane.GAUGE else "float4"
    return f"array_agg(coalesce({value}, 'NaN'::{kind}))"
