"""Raw points of series hour by hour, from blocks and frames together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mtd.codec.blocks import encode_axis
from mtd.model.metric import Lane
from mtd.model.rates import GAP_INTERVALS
from mtd.queries.history.axes import GroupHour
from mtd.queries.history.cold import ColdBlocks
from mtd.queries.history.hot import HotValues, Place
from mtd.queries.history.points import Points, Times, cut, merged
from mtd.queries.history.selecting import Selected
from mtd.queries.resolution import HOUR_US

NO_INTS: Points = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
NO_FLOATS: Points = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64))


class RawSources:
    """What was read of a device: blocks of closed hours, frames of the others and those that came late.

    ``groups``: the poll group of each layout.
    """

    def __init__(self, cold: ColdBlocks, hot: HotValues, groups: Mapping[int, str]) -> None:
        self.cold = cold
        self.hot = hot
        self._groups = groups
        self._polls = _polls(hot, groups)
        self._gaps: dict[GroupHour, int] = {}

    def max_gap_ms(self, group: str, hour_us: int) -> int:
        """Return the longest time over which a rate is told: what the compaction of the hour would take."""
        found = self._gaps.get((group, hour_us))
        if found is None:
            found = self._gaps[group, hour_us] = int(GAP_INTERVALS * self._step_ms(group, hour_us))
        return found

    def _step_ms(self, group: str, hour_us: int) -> int:
        closed = self.cold.times(group, hour_us)
        us = self._polls.get(group)
        frames = us[slice(*np.searchsorted(us, (hour_us, hour_us + HOUR_US)))] if us is not None else None
        if frames is None or not len(frames):
            return closed.step_ms if closed is not None else 0
        ms = (frames - hour_us) // 1000
        if closed is not None:
            ms = np.union1d(ms, (closed.us - hour_us) // 1000)
        return encode_axis(ms).step_ms

    def stored(self, one: Selected, lane: Lane) -> list[Points]:
        """Return the points of the blocks of a series, hour by hour."""
        found = []
        for series_id, group in one.ids.items():
            for hour_us in self.cold.hours(series_id):
                points = self.cold.points(series_id, group, hour_us, lane)
                if points is not None:
                    found.append(points)
        return found

    def framed(self, places: Iterable[Place]) -> list[Points]:
        """Return the points that frames have at some places."""
        found = (self.hot.of(place) for place in places)
        return [points for points in found if points is not None and len(points[0])]

    def points(self, one: Selected, lane: Lane, start_us: int, end_us: int) -> Points:
        """Return the points of [start, end) as the router gave them: of a rate, those of its counter."""
        places = one.counter_places if one.lane is Lane.RATE else one.places
        empty = NO_INTS if lane is Lane.COUNTER else NO_FLOATS
        return cut(merged(self.stored(one, lane), self.framed(places), empty), start_us, end_us)

    def withheld_ms(self, one: Selected) -> Times | None:
        """Return the milliseconds up to which no rate was told when they came, whatever the counter gives; None: none."""
        found = [us for series_id, group in one.ids.items() for us in self.cold.withheld(series_id, group)]
        rates = {place.layout_id: self.hot.of(place) for place in one.places if place.lane is Lane.RATE}
        for place in one.counter_places:
            counted, told = self.hot.of(place), rates.get(place.layout_id)
            if counted is not None and told is not None and not np.array_equal(counted[0], told[0]):
                found.append(np.setdiff1d(counted[0], told[0]))
        return np.concatenate(found) // 1000 if found else None

    def block_hours(self, one: Selected) -> set[int]:
        """Return the hours of which a series has a block."""
        return {hour_us for series_id in one.ids for hour_us in self.cold.hours(series_id)}

    def group_of(self, one: Selected, hour_us: int) -> str:
        """Return the poll group that has a series in an hour; of several, the one that polls most often."""
        groups = {
            group for series_id, group in one.ids.items() if self.cold.times(group, hour_us) is not None
        }
        places = one.counter_places if one.lane is Lane.RATE else one.places
        groups.update(self._groups.get(place.layout_id, "") for place in places)
        return min(groups or {""}, key=lambda group: (self._step_ms(group, hour_us) or np.inf, group))


def by_hour(points: Points) -> Sequence[tuple[int, Points]]:
    """Return points hour by hour, with the hours' starts."""
    us, values = points
    if not len(us):
        return []
    hours = np.arange(us[0] // HOUR_US, us[-1] // HOUR_US + 1) * HOUR_US
    edges = np.searchsorted(us, np.append(hours, hours[-1] + HOUR_US))
    return [
        (int(hour), (us[first:last], values[first:last]))
        for hour, first, last in zip(hours, edges, edges[1:], strict=False)
        if last > first
    ]


def _polls(hot: HotValues, groups: Mapping[int, str]) -> dict[str, Times]:
    by_group: dict[str, list[Times]] = {}
    for layout_id, us in hot.polls.items():
        by_group.setdefault(groups.get(layout_id, ""), []).append(us)
    return {group: np.sort(np.concatenate(parts)) for group, parts in by_group.items()}
