"""The points before a range or an hour, at which growth and rates begin."""

from __future__ import annotations

from collections.abc import Sequence

from mtd.model.metric import Lane
from mtd.queries.history.axes import AxisCache
from mtd.queries.history.cold import ColdBlocks
from mtd.queries.history.hot import REACH_US, HotFrames, HotValues
from mtd.queries.history.selecting import Selected
from mtd.queries.resolution import HOUR_US
from mtd.storage.cold.connection import ColdConnection


def read_blocks_before(
    conn: ColdConnection,
    axes: AxisCache,
    device_id: str,
    cold: ColdBlocks,
    chosen: Sequence[Selected],
    start_us: int,
) -> None:
    """Read the blocks in which the counters' last points before the hour of ``start_us`` are."""
    counters = [one for one in chosen if one.stored_lane is Lane.COUNTER and one.ids]
    if not counters:
        return
    end_us = start_us // HOUR_US * HOUR_US
    ids = {series_id for one in counters for series_id in one.ids}
    cold.read(conn, ids, end_us - HOUR_US, end_us)
    # The hour before has nearly all; only what it has less than two of is looked for further back.
    missing: set[int] = set()
    for one in counters:
        if sum(cold.count(series_id, end_us - HOUR_US) for series_id in one.ids) < 2:
            missing.update(one.ids)
    if missing:
        groups = {group for one in counters for group in one.ids.values()}
        cold.find_more(conn, axes, device_id, groups, end_us - REACH_US, end_us - HOUR_US)
        cold.read(conn, missing, end_us - REACH_US, end_us - HOUR_US)


def read_frames_before(
    conn: ColdConnection, hot: HotFrames, values: HotValues, chosen: Sequence[Selected], start_us: int
) -> None:
    """Read the counters' last points before ``start_us`` that are in frames."""
    values.look_back(
        conn,
        hot,
        [
            one.counter_places if one.lane is Lane.RATE else one.places
            for one in chosen
            if one.stored_lane is Lane.COUNTER
        ],
        start_us,
    )
