"""One query of a range, from the question to arrays. Runs in a thread, on one snapshot of the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtd.model.metric import Lane
from mtd.queries.config import QueriesConfig
from mtd.queries.errors import TooManyPoints
from mtd.queries.history.axes import AxisCache
from mtd.queries.history.before import read_blocks_before, read_frames_before
from mtd.queries.history.cold import ColdBlocks
from mtd.queries.history.grids import Grid
from mtd.queries.history.hot import HotFrames, HotValues, whole_hours
from mtd.queries.history.keeping import Keeping
from mtd.queries.history.raw import raw_buckets, raw_points
from mtd.queries.history.rolled import Rollups, open_hours, read_open, rolled_grid
from mtd.queries.history.selecting import Selected, device_id_of, select_series
from mtd.queries.history.sources import RawSources
from mtd.queries.records import RangeAnswer, SeriesPoints
from mtd.queries.resolution import (
    SECOND_US,
    STEP_S,
    Plan,
    Resolution,
    clipped,
    may_be_raw,
    plan_range,
)
from mtd.storage.cold.connection import ColdConnection


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: series of a device over [start, end), at most ``points`` of each."""

    tenant_id: str
    device: str
    patterns: Sequence[str]
    start_us: int
    end_us: int
    points: int
    resolution: Resolution = Resolution.AUTO


@dataclass(frozen=True, slots=True)
class _Scene:
    """What there is of a device over some hours: its frames, the chosen series, when polls of blocks were."""

    hot: HotFrames
    chosen: Sequence[Selected]
    cold: ColdBlocks

    @property
    def ids(self) -> set[int]:
        """The numbers of the chosen series' blocks."""
        return {series_id for one in self.chosen for series_id in one.ids}


class RangeReader:
    """Answers questions on a connection. Raises NotFound, Refused and TooManyPoints."""

    def __init__(self, config: QueriesConfig, keeping: Keeping, axes: AxisCache, now_us: int) -> None:
        self._config = config
        self._axes = axes
        self._keeping = keeping
        self._now_us = now_us

    def answer(self, conn: ColdConnection, asked: Question) -> RangeAnswer:
        """Read what is asked."""
        device_id = device_id_of(conn, asked.tenant_id, asked.device)
        hot = HotFrames.find(conn, device_id, asked.start_us, asked.end_us)
        chosen = select_series(conn, asked.tenant_id, device_id, hot, asked.patterns)
        if not may_be_raw(asked.resolution, asked.start_us, asked.end_us):
            return self._rolled(conn, asked, self._plan(conn, asked, chosen, 0), hot, chosen)
        scene = self._scene(conn, asked.start_us, asked.end_us, hot, chosen)
        stored = [_stored(one, scene, asked) for one in chosen]
        plan = self._plan(conn, asked, chosen, max(stored, default=0))
        if plan.resolution is not Resolution.RAW:
            return self._rolled(conn, asked, plan, hot, chosen)
        self._refuse_too_much(sum(stored), chosen, [min(one, plan.buckets or one) for one in stored])
        if plan.bucket_us:
            scene = self._scene(
                conn, plan.start_us, plan.end_us, *self._covering(conn, asked, plan, hot, chosen)
            )
        answer = self._raw(conn, asked, plan, scene)
        if asked.resolution is Resolution.AUTO and not answer.series:
            # The class of a series may have changed: what is gone of it may be rolled up.
            return self._rolled(conn, asked, self._plan(conn, asked, chosen, 0), hot, chosen)
        return answer

    def _scene(
        self,
        conn: ColdConnection,
        start_us: int,
        end_us: int,
        hot: HotFrames,
        chosen: Sequence[Selected],
    ) -> _Scene:
        """Look when polls of blocks were in the hours that [start, end) touches."""
        groups = {group for one in chosen for group in one.ids.values()}
        return _Scene(hot, chosen, ColdBlocks.find(conn, self._axes, hot.device_id, groups, start_us, end_us))

    def _covering(
        self,
        conn: ColdConnection,
        asked: Question,
        plan: Plan,
        hot: HotFrames,
        chosen: Sequence[Selected],
    ) -> tuple[HotFrames, Sequence[Selected]]:
        """Return frames and series of all hours of a plan, whose buckets may reach beyond what was asked for."""
        if whole_hours(plan.start_us, plan.end_us) == (hot.start_us, hot.end_us):
            return hot, chosen
        wider = HotFrames.find(conn, hot.device_id, plan.start_us, plan.end_us)
        if not wider.counts.keys() <= hot.counts.keys():
            chosen = select_series(conn, asked.tenant_id, hot.device_id, wider, asked.patterns)
        return wider, chosen

    def _plan(self, conn: ColdConnection, asked: Question, chosen: Sequence[Selected], stored: int) -> Plan:
        kept = self._keeping.of_all(conn, asked.tenant_id, {one.stored_metric for one in chosen})
        plan = plan_range(
            asked.resolution, asked.start_us, asked.end_us, asked.points, stored, self._now_us, kept
        )
        return clipped(plan, self._now_us, self._keeping.longest)

    def _raw(self, conn: ColdConnection, asked: Question, plan: Plan, scene: _Scene) -> RangeAnswer:
        cold, chosen, device_id = scene.cold, scene.chosen, scene.hot.device_id
        cold.read(conn, scene.ids, plan.start_us, plan.end_us)
        closed = cold.series()
        derived = [one for one in chosen if one.lane is Lane.RATE and closed.intersection(one.ids)]
        # Rates that are derived begin with the poll before the range, and so does growth.
        begun = [*derived, *(one for one in chosen if one.lane is Lane.COUNTER and plan.bucket_us)]
        read_blocks_before(conn, self._axes, device_id, cold, begun, plan.start_us)
        places = [place for one in chosen for place in one.places]
        places += [place for one in derived for place in one.counter_places]
        hot = HotValues.read(conn, scene.hot, places)
        read_frames_before(conn, scene.hot, hot, begun, plan.start_us)
        sources = RawSources(cold, hot, scene.hot.groups(conn, asked.tenant_id))
        series = []
        for one in chosen:
            conn.check()
            if plan.bucket_us:
                points = _thinned(one, _grid(sources, one, plan), 1.0)
            else:
                points = _as_stored(one, *raw_points(sources, one, plan.start_us, plan.end_us))
            if len(points.times_us):
                series.append(points)
        return RangeAnswer(series, plan.bucket_us, plan.resolution)

    def _rolled(
        self,
        conn: ColdConnection,
        asked: Question,
        plan: Plan,
        hot: HotFrames,
        chosen: Sequence[Selected],
    ) -> RangeAnswer:
        hot, chosen = self._covering(conn, asked, plan, hot, chosen)
        steps = (plan.end_us - plan.start_us) // (STEP_S[plan.resolution] * SECOND_US)
        scanned = sum(
            steps * max(1, len(one.ids)) + sum(hot.counts.get(place.layout_id, 0) for place in one.places)
            for one in chosen
        )
        self._refuse_too_much(scanned, chosen, [plan.buckets] * len(chosen))
        hours = open_hours(hot)
        rollups = Rollups.read(conn, plan, {series_id for one in chosen for series_id in one.ids})
        sources = read_open(conn, self._axes, asked.tenant_id, hot, chosen, hours)
        width_s = plan.bucket_us // SECOND_US
        series = []
        for one in chosen:
            conn.check()
            grid = rolled_grid(plan, rollups, sources, one, hours)
            derived = one.lane is Lane.RATE and bool(one.ids or one.counter_places)
            points = _thinned(one, grid.widened(width_s), one.scale if derived else 1.0)
            if len(points.times_us):
                series.append(points)
        return RangeAnswer(series, plan.bucket_us, plan.resolution)

    def _refuse_too_much(self, scanned: int, chosen: Sequence[Selected], answered: Sequence[int]) -> None:
        """Raise TooManyPoints before anything is read that can't be answered."""
        config = self._config
        if scanned > config.max_scanned_points:
            raise TooManyPoints(
                f"{scanned} stored points of {len(chosen)} series would have to be read, more than"
                f" {config.max_scanned_points}"
            )
        if sum(answered) > config.max_answer_points:
            raise TooManyPoints(
                f"the answer would have {sum(answered)} points, more than {config.max_answer_points}"
            )


def _stored(one: Selected, scene: _Scene, asked: Question) -> int:
    """Return how many points of a series are stored within the range, at most: values may be absent."""
    places = one.places or one.counter_places
    frames = sum(scene.hot.counts.get(place.layout_id, 0) for place in places)
    groups = set(one.ids.values())
    return frames + sum(scene.cold.polls(group, asked.start_us, asked.end_us) for group in groups)


def _as_stored(
    one: Selected, us: NDArray[np.int64], values: NDArray[np.int64] | NDArray[np.float64]
) -> SeriesPoints:
    named = (one.metric, one.instance, one.lane, one.label, one.key, one.unit)
    if one.lane is Lane.COUNTER:
        return SeriesPoints(*named, us, counters=values.astype(np.int64, copy=False))
    return SeriesPoints(*named, us, values=values.astype(np.float64, copy=False))


def _grid(sources: RawSources, one: Selected, plan: Plan) -> Grid:
    grid = Grid(
        plan.start_us // SECOND_US,
        plan.bucket_us // SECOND_US,
        plan.buckets,
        counter=one.lane is Lane.COUNTER,
    )
    for part in raw_buckets(sources, one, plan):
        grid.put(part)
    return grid


def _thinned(one: Selected, grid: Grid, scale: float) -> SeriesPoints:
    """Return those buckets that have a value."""
    named = (one.metric, one.instance, one.lane, one.label, one.key, one.unit)
    # A bucket of counters may have no rate; one of infinities may have no mean, and is there all the same.
    places = np.flatnonzero(~np.isnan(grid.maximum) if one.lane is Lane.RATE else grid.count > 0)
    us = (places * grid.step_s + grid.start_s) * SECOND_US
    count = grid.count[places]
    if one.lane is Lane.COUNTER:
        return SeriesPoints(
            *named, us, counters=grid.last[places], increases=grid.increase[places], counts=count
        )
    mean, lowest, highest, p95 = (
        column[places] * scale for column in (grid.mean, grid.minimum, grid.maximum, grid.p95)
    )
    return SeriesPoints(*named, us, mean, minimum=lowest, maximum=highest, p95=p95, counts=count)
