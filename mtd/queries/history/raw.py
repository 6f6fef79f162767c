"""Raw values of series, as stored or in buckets of whole seconds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mtd.codec.rollups import Before, Buckets, counter_buckets, gauge_buckets
from mtd.model.metric import Lane
from mtd.queries.history.hot import REACH_US
from mtd.queries.history.points import Points, cut, last_of, merged, rates
from mtd.queries.history.selecting import Selected
from mtd.queries.history.sources import NO_FLOATS, NO_INTS, RawSources, by_hour
from mtd.queries.resolution import HOUR_US, SECOND_US, Plan


def raw_points(sources: RawSources, one: Selected, start_us: int, end_us: int) -> Points:
    """Return the points of a series over [start, end)."""
    if one.lane is not Lane.RATE:
        return sources.points(one, one.lane, start_us, end_us)
    return cut(merged(*_rates(sources, one), NO_FLOATS), start_us, end_us)


def raw_buckets(sources: RawSources, one: Selected, plan: Plan) -> Iterator[Buckets]:
    """Yield the buckets of a series, in pieces that may share one; of a rate, of the rates themselves."""
    start_s, step_s = plan.start_us // SECOND_US, plan.bucket_us // SECOND_US
    if one.lane is not Lane.COUNTER:
        us, found = raw_points(sources, one, plan.start_us, plan.end_us)
        yield gauge_buckets(us // 1000, found.astype(np.float64, copy=False), step_s, start_s, plan.buckets)
        return
    since_us = plan.start_us // HOUR_US * HOUR_US - REACH_US
    us, values = sources.points(one, Lane.COUNTER, since_us, plan.end_us)
    # What it grew by over a longer silence than rollups look back belongs to no bucket.
    ends = np.flatnonzero(us[:-1] < us[1:] // HOUR_US * HOUR_US - REACH_US) + 1
    for moments, counters in zip(np.split(us, ends), np.split(values, ends), strict=True):
        # No rate of a counter is asked for: how long a gap may be doesn't matter.
        yield counter_buckets(
            moments // 1000,
            counters.astype(np.int64, copy=False),
            step_s,
            start_s,
            plan.buckets,
            before=(),
            max_gap_ms=0,
        )


def _rates(sources: RawSources, one: Selected) -> tuple[list[Points], list[Points]]:
    """Return the rates: of hours with a block derived from the counter, of the others as they were stored."""
    closed = sources.block_hours(one)
    framed = sources.framed(one.places)
    if not closed:
        return [], framed
    derived = []
    withheld = sources.withheld_ms(one)
    before: Before = ()
    counters = merged(sources.stored(one, Lane.COUNTER), sources.framed(one.counter_places), NO_INTS)
    for hour_us, points in by_hour(counters):
        if hour_us in closed:
            gap_ms = sources.max_gap_ms(sources.group_of(one, hour_us), hour_us)
            derived.append(rates(points, one.scale, gap_ms, before, withheld))
        before = last_of(before, points)
    open_ = [points for piece in framed for hour_us, points in by_hour(piece) if hour_us not in closed]
    return derived, open_
