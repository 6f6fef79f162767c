"""Blocks of one device as points."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import numpy as np

from mtd.codec.blocks import Block, decode_counters, decode_gauges
from mtd.model.metric import Lane
from mtd.queries.history.axes import AxisCache, GroupHour, HourTimes
from mtd.queries.history.points import Points, Times
from mtd.queries.resolution import HOUR_US
from mtd.storage.cold.blocks import read_blocks
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.damage import readable


class ColdBlocks:
    """The blocks of some series over some hours, and when their polls were."""

    def __init__(self, hours: Mapping[GroupHour, HourTimes]) -> None:
        self._times = dict(hours)
        self._blocks: dict[int, dict[int, Block]] = {}
        self._check: Callable[[], None] = lambda: None

    @classmethod
    def find(
        cls,
        conn: ColdConnection,
        axes: AxisCache,
        device_id: str,
        groups: Collection[str],
        start_us: int,
        end_us: int,
    ) -> ColdBlocks:
        """Read when polls were, of the hours that [start, end) touches and the one before; blocks come by ``read``."""
        if not groups:
            return cls({})
        return cls(axes.read(conn, device_id, groups, start_us // HOUR_US * HOUR_US - HOUR_US, end_us))

    def find_more(
        self,
        conn: ColdConnection,
        axes: AxisCache,
        device_id: str,
        groups: Collection[str],
        start_us: int,
        end_us: int,
    ) -> None:
        """Read when polls were in other hours, too."""
        self._times.update(axes.read(conn, device_id, groups, start_us, end_us))

    def read(self, conn: ColdConnection, ids: Collection[int], start_us: int, end_us: int) -> None:
        """Read the blocks of the hours that [start, end) touches."""
        if not ids or not self._times:
            return
        self._check = conn.check
        first_us = start_us // HOUR_US * HOUR_US
        for row in read_blocks(conn, sorted(ids), first_us, end_us):
            self._blocks.setdefault(row.series_id, {})[row.hour_us] = row.block

    def polls(self, group: str, start_us: int, end_us: int) -> int:
        """Return how many polls of a group are in [start, end)."""
        found = 0
        for (name, hour_us), hour in self._times.items():
            if name != group or hour_us + HOUR_US <= start_us or hour_us >= end_us:
                continue
            if start_us <= hour_us and hour_us + HOUR_US <= end_us:
                found += len(hour.us)
            else:
                first, last = np.searchsorted(hour.us, (start_us, end_us))
                found += int(last - first)
        return found

    def series(self) -> set[int]:
        """Return the series that have a block."""
        return set(self._blocks)

    def hours(self, series_id: int) -> Iterable[int]:
        """Return the hours of which a series has a block, in order."""
        return sorted(self._blocks.get(series_id, ()))

    def count(self, series_id: int, hour_us: int) -> int:
        """Return how many values a series has in an hour, of which blocks were read."""
        block = self._blocks.get(series_id, {}).get(hour_us)
        return 0 if block is None else block.points

    def times(self, group: str, hour_us: int) -> HourTimes | None:
        """Return when a group was polled in an hour; None if nothing is stored of it."""
        return self._times.get((group, hour_us))

    def withheld(self, series_id: int, group: str) -> Iterator[Times]:
        """Yield the times up to which no rate of a counter is told, of blocks that have some."""
        for hour_us, block in self._blocks.get(series_id, {}).items():
            times = self.times(group, hour_us)
            if block.withheld is not None and times is not None:
                yield times.us[block.withheld]

    def points(self, series_id: int, group: str, hour_us: int, lane: Lane) -> Points | None:
        """Return the points of a block; None if there is none."""
        block = self._blocks.get(series_id, {}).get(hour_us)
        times = self.times(group, hour_us)
        if block is None or times is None:
            return None
        self._check()
        us = times.us
        if lane is Lane.COUNTER:
            with readable("telemetry_block", series_id, hour_us):
                counters, absent = decode_counters(block, len(us))
            return (us, counters) if absent is None else (us[~absent], counters[~absent])
        with readable("telemetry_block", series_id, hour_us):
            gauges = decode_gauges(block, len(us))
        if block.points == len(us):
            return us, gauges
        there = ~np.isnan(gauges)
        return us[there], gauges[there]
