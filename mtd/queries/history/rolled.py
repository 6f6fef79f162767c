"""Buckets of series from rollups, and from raw values where the hours aren't rolled up yet.

An hour that has frames is open: nothing was rolled up of it, or something came
late. Open hours are computed from their blocks and frames as the compaction
will, so that there is no hole and no double where the two meet. So is the hour
after an open one, whose first growth begins there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np

from mtd.codec.rollups import Before, Buckets, counter_buckets, decode, gauge_buckets
from mtd.model.metric import Lane
from mtd.queries.history.axes import AxisCache
from mtd.queries.history.before import read_blocks_before, read_frames_before
from mtd.queries.history.cold import ColdBlocks
from mtd.queries.history.grids import Grid
from mtd.queries.history.hot import REACH_US, HotFrames, HotValues
from mtd.queries.history.points import among, cut, last_of, merged
from mtd.queries.history.selecting import Selected
from mtd.queries.history.sources import NO_FLOATS, RawSources, by_hour
from mtd.queries.resolution import HOUR_US, SECOND_US, STEP_S, Plan
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.damage import readable
from mtd.storage.cold.rollups import read_rollups
from mtd.storage.partitioned import ROLLUPS


def open_hours(hot: HotFrames) -> list[int]:
    """Return the hours that are computed from raw values, by their starts, in order."""
    found = {hour for start in hot.hours for hour in (start, start + HOUR_US)}
    return sorted(hour for hour in found if hot.start_us <= hour < hot.end_us)


def runs_of(hours: Iterable[int]) -> list[tuple[int, int]]:
    """Return hours that follow each other as runs: start of the first, end of the last."""
    runs: list[tuple[int, int]] = []
    for hour in hours:
        if runs and runs[-1][1] == hour:
            runs[-1] = (runs[-1][0], hour + HOUR_US)
        else:
            runs.append((hour, hour + HOUR_US))
    return runs


def read_open(
    conn: ColdConnection,
    axes: AxisCache,
    tenant_id: str,
    hot: HotFrames,
    chosen: Sequence[Selected],
    hours: Collection[int],
) -> RawSources:
    """Read what open hours are computed from, and the points before each run: growth begins there."""
    runs = runs_of(hours)
    if not runs:
        return RawSources(ColdBlocks({}), HotValues(), {})
    groups = {group for one in chosen for group in one.ids.values()}
    cold = ColdBlocks.find(conn, axes, hot.device_id, groups, runs[0][0], runs[-1][1])
    ids = {series_id for one in chosen for series_id in one.ids}
    for start_us, end_us in runs:
        cold.read(conn, ids, start_us, end_us)
        read_blocks_before(conn, axes, hot.device_id, cold, chosen, start_us)
    # Of rates it is read where they were told; they are computed from their counters wherever there is one.
    places = [place for one in chosen for place in (*one.counter_places, *one.places)]
    values = HotValues.read(conn, hot, places)
    read_frames_before(conn, hot, values, chosen, runs[0][0])
    return RawSources(cold, values, hot.groups(conn, tenant_id))


class Rollups:
    """The rollups of some series over a plan's range, by series id."""

    def __init__(
        self,
        packed: Mapping[int, Sequence[tuple[int, bytes]]],
        check: Callable[[], None] = lambda: None,
        table: str = "",
    ) -> None:
        """Take each piece with the moment that it starts at; ``check`` is called before it is unpacked, and may end it."""
        self._packed = packed
        self._table = table
        self._check = check

    @classmethod
    def read(cls, conn: ColdConnection, plan: Plan, ids: Collection[int]) -> Rollups:
        """Read them; they are unpacked series by series, since they are many times larger then."""
        packed: dict[int, list[tuple[int, bytes]]] = {}
        step_s = STEP_S[plan.resolution]
        if ids:
            for row in read_rollups(conn, step_s, sorted(ids), plan.start_us, plan.end_us):
                packed.setdefault(row.series_id, []).append((row.start_us, row.packed))
        return cls(packed, conn.check, ROLLUPS[step_s].name)

    def of(self, series_id: int) -> Iterator[Buckets]:
        """Unpack the buckets of a series, in pieces."""
        for start_us, packed in self._packed.get(series_id, ()):
            self._check()
            with readable(self._table, series_id, start_us):
                buckets = decode(packed)
            yield buckets


def rolled_grid(
    plan: Plan, rollups: Rollups, sources: RawSources, one: Selected, hours: Collection[int]
) -> Grid:
    """Return the buckets of a series, of the rollup's width; of a rate, those of its counter."""
    step_s = STEP_S[plan.resolution]
    start_s, end_s = plan.start_us // SECOND_US, plan.end_us // SECOND_US
    counter = one.stored_lane is Lane.COUNTER
    grid = Grid(start_s, step_s, (end_s - start_s) // step_s, counter=counter)
    for series_id in one.ids:
        for part in rollups.of(series_id):
            grid.put(part)
    for hour_us in hours:
        grid.clear(hour_us // SECOND_US, (hour_us + HOUR_US) // SECOND_US)
    if hours:
        for part in _open_buckets(grid, sources, one, hours):
            grid.put(part)
    return grid


def _open_buckets(
    grid: Grid, sources: RawSources, one: Selected, hours: Collection[int]
) -> Iterable[Buckets]:
    """Yield the buckets of open hours."""
    lane = one.stored_lane
    first_us, last_us = min(hours) - REACH_US, max(hours) + HOUR_US
    count = 3600 // grid.step_s
    if one.lane is Lane.RATE and not one.ids and not one.counter_places:
        for hour_us, (us, values) in by_hour(
            cut(merged([], sources.framed(one.places), NO_FLOATS), first_us, last_us)
        ):
            yield _as_rates(
                gauge_buckets(us // 1000, values.astype(np.float64), grid.step_s, hour_us // SECOND_US, count)
            )
        return
    wanted = set(hours)
    withheld = sources.withheld_ms(one) if one.lane is Lane.RATE else None
    before: Before = ()
    for hour_us, points in by_hour(sources.points(one, lane, first_us, last_us)):
        us, values = points
        start_s = hour_us // SECOND_US
        if hour_us in wanted:
            if lane is Lane.GAUGE:
                yield gauge_buckets(
                    us // 1000, values.astype(np.float64, copy=False), grid.step_s, start_s, count
                )
            else:
                gap_ms = sources.max_gap_ms(sources.group_of(one, hour_us), hour_us)
                yield counter_buckets(
                    us // 1000,
                    values.astype(np.int64, copy=False),
                    grid.step_s,
                    start_s,
                    count,
                    before=_within_reach(before, hour_us),
                    max_gap_ms=gap_ms,
                    withheld=among(us // 1000, withheld),
                )
        if lane is Lane.COUNTER:
            before = last_of(before, points)


def _within_reach(before: Before, hour_us: int) -> Before:
    return [point for point in before if point[0] * 1000 >= hour_us - REACH_US]


def _as_rates(buckets: Buckets) -> Buckets:
    """Return buckets of stored rates as those of a counter, of which nothing but the rates is known."""
    zeros = np.zeros(len(buckets.count), dtype=np.int64)
    return Buckets(
        buckets.start_s,
        buckets.step_s,
        buckets.count,
        buckets.minimum,
        buckets.maximum,
        buckets.mean,
        buckets.p95,
        zeros,
        zeros,
    )
