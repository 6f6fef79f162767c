"""The last counters before an hour, which its first intervals begin with; and the hours that begin with this one's."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mtd.codec.blocks import decode_axis
from mtd.codec.rollups import Before, following, growth
from mtd.compaction.encoding import counter_steps, max_gap_ms
from mtd.compaction.sources import decoded, withheld_at
from mtd.compaction.store import REACH_US, StoredHour, Unit, UnitStore
from mtd.model.layout import Series
from mtd.model.metric import Lane
from mtd.storage.partitioned import HOUR_US


def points_before(store: UnitStore, unit: Unit, counters: Collection[Series]) -> dict[Series, Before]:
    """Return the last two points of these counters within the day before the unit's hour."""
    found: dict[Series, Before] = {}
    # The hour before has nearly all; only what is missing there is looked for further back.
    for since_us, until_us in (
        (unit.hour_us - HOUR_US, unit.hour_us),
        (unit.hour_us - REACH_US, unit.hour_us - HOUR_US),
    ):
        missing = [series for series in counters if len(found.get(series, ())) < 2]
        for hour in reversed(store.counters(unit, since_us, until_us, missing)):
            for series, points in last_points(hour).items():
                found[series] = [*points, *found.get(series, ())][-2:]
    return found


def last_points(hour: StoredHour) -> dict[Series, Before]:
    """Return the last two points of each counter of a stored hour."""
    moments = decode_axis(hour.axis) + hour.hour_us // 1000
    found: dict[Series, Before] = {}
    for series, block in hour.blocks.items():
        if series.lane is Lane.COUNTER:
            bits, absent = decoded(Lane.COUNTER, block, hour.axis.polls)
            found[series] = following((), moments[~absent], bits[~absent])
    return found


def recompute_following(
    store: UnitStore, unit: Unit, tenant_id: str, lasts: Mapping[Series, Before], stored: StoredHour | None
) -> None:
    """Compute the rollups of later hours again whose first intervals begin with other points now."""
    first_us, end_us = unit.hour_us + HOUR_US, unit.hour_us + HOUR_US + REACH_US
    if not store.has_hours(unit, first_us, end_us):
        return
    old = {} if stored is None else last_points(stored)
    changed = {series for series, points in lasts.items() if old.get(series) != points}
    # Two points are looked back at: hours with one pass it on.
    for since_us, until_us in ((first_us, first_us + HOUR_US), (first_us + HOUR_US, end_us)):
        for hour in store.counters(unit, since_us, until_us, changed):
            begins = [series for series in hour.blocks if series in changed]
            _recompute(store, unit.at(hour.hour_us), tenant_id, hour, begins)
            changed.difference_update(series for series in begins if hour.blocks[series].points >= 2)


def _recompute(
    store: UnitStore, unit: Unit, tenant_id: str, hour: StoredHour, begins: Collection[Series]
) -> None:
    moments = decode_axis(hour.axis) + hour.hour_us // 1000
    gap_ms = max_gap_ms(hour.axis)
    before = points_before(store, unit, begins)
    buckets = {}
    for series in begins:
        bits, absent = decoded(Lane.COUNTER, hour.blocks[series], hour.axis.polls)
        there = ~absent
        ms, values, earlier = moments[there], bits[there], before.get(series, ())
        withheld = withheld_at(hour.blocks[series], hour.axis.polls, there)
        grown = growth(ms, values, earlier, gap_ms, withheld)
        buckets[series] = counter_steps(ms, values, grown, unit.hour_us // 1_000_000, earlier)
    if buckets:
        store.write_buckets(unit, tenant_id, buckets, hour.blocks)
