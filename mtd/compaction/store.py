"""What a unit reads and writes, in terms of series: between the compaction and ``mtd.storage.cold``."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks import Axis, Block, decode_axis
from mtd.codec.rollups import Buckets, decode, encode, fill_in, joined, replace_slice
from mtd.compaction.encoding import STEPS_S, Encoded
from mtd.compaction.sources import FrameSource, StoredSource
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Refused, Retryable
from mtd.model.layout import Series, shared_series
from mtd.model.metric import Lane
from mtd.storage.cold.blocks import (
    AxisRow,
    BlockRow,
    delete_blocks,
    read_axes,
    read_blocks,
    replace_axes,
    write_axes,
    write_blocks,
)
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.frames import FrameRun, StoredLayout, delete_unit, layouts, read_unit
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.cold.rollups import RollupRow, replace_rollups, rollups_over
from mtd.storage.cold.series import SeriesIds, SeriesKey
from mtd.storage.cold.upkeep import has_axes, layouts_in, numbers_of
from mtd.storage.config import RetentionConfig
from mtd.storage.partitioned import (
    HOUR_US,
    ROLLUPS,
    STANDARD,
    TELEMETRY_AXIS,
    TELEMETRY_BLOCK,
    PartitionedTable,
)
from mtd.storage.retention import Retention, RetentionClasses

MERGED_STEPS_S = (60, 300)
"""Steps of the rollups whose hours are merged into days."""

REACH_US = 24 * HOUR_US
"""How far back a counter's last values are looked for: what grew over a longer silence belongs to no bucket."""

_CLOSING_US = 3 * HOUR_US
"""How much later than its end an hour may well be compacted: what was kept then isn't too old yet."""
_MOST_LAYOUTS = 10_000


class Changed(Retryable):
    """What was read is not what is there any more."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One hour (its start in microseconds since the epoch) of one device and poll group."""

    device_id: str
    poll_group: str
    hour_us: int

    def at(self, hour_us: int) -> Unit:
        """Return the unit of another hour."""
        return dataclasses.replace(self, hour_us=hour_us)


@dataclass(frozen=True, slots=True, eq=False)
class UnitFrames:
    """The frames of a unit, a source for each layout."""

    tenant_id: str
    layout_ids: Sequence[int]
    sources: Sequence[FrameSource]


@dataclass(frozen=True, slots=True, eq=False)
class StoredHour:
    """An hour as it is stored, or a part of its series."""

    hour_us: int
    axis: Axis
    blocks: Mapping[Series, Block] = field(default_factory=dict)

    @property
    def points(self) -> int:
        """Values in it."""
        return sum(block.points for block in self.blocks.values())

    def source(self) -> StoredSource:
        """Return its polls."""
        return StoredSource(decode_axis(self.axis), self.blocks)


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What of an hour is stored as blocks; ``left_out`` counts values that were too old for it."""

    kept: Sequence[Encoded]
    left_out: int

    @property
    def size(self) -> int:
        """Bytes of the blocks."""
        return sum(_size(one.block) for one in self.kept)


class UnitStore:
    """Reads and writes units on one connection. ``classes`` tells how long each series is kept."""

    def __init__(
        self,
        connection: ColdConnection,
        retention: RetentionConfig | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.classes = RetentionClasses(RetentionConfig())
        self._retention = Retention(retention)
        self._connection = connection
        self._clock = clock
        self._partitions = ColdPartitions(connection)
        self._ids = SeriesIds()
        self._layouts: dict[tuple[str, int], StoredLayout] = {}

    def transaction(self) -> AbstractContextManager[None]:
        """Return one transaction, REPEATABLE READ: what it read first is all it sees."""
        return self._connection.transaction()

    def layouts(self, keys: Collection[tuple[str, int]]) -> dict[tuple[str, int], StoredLayout]:
        """Return the layouts that are known, by (tenant, layout)."""
        if len(self._layouts) > _MOST_LAYOUTS:
            self._layouts.clear()
        missing = [key for key in keys if key not in self._layouts]
        if missing:
            self._layouts.update(layouts(self._connection, missing))
        return {key: self._layouts[key] for key in keys if key in self._layouts}

    def layouts_of(self, unit: Unit, tenant_id: str) -> list[StoredLayout]:
        """Return the layouts that the frames of a unit have."""
        keys = [(tenant_id, number) for number in layouts_in(self._connection, unit.device_id, unit.hour_us)]
        return [one for one in self.layouts(keys).values() if one.poll_group == unit.poll_group]

    def prepare(self, unit: Unit, tenant_id: str, found: Collection[StoredLayout]) -> None:
        """Make partitions and numbers of series, which is better done outside of the transaction."""
        keys = _keys(unit, found)
        metrics = {key.metric for key in keys}
        times_us = [unit.hour_us]
        if self.has_hours(unit, unit.hour_us, unit.hour_us + HOUR_US + REACH_US):
            # All series of the hour are written again, and rollups of those that follow.
            metrics.update(series.metric for series in self._numbers(unit))
            times_us.append(unit.hour_us + REACH_US)
        if not self._is_over(TELEMETRY_AXIS, STANDARD, unit.hour_us):
            self._partitions.ensure(TELEMETRY_AXIS, [unit.hour_us])
        for retention in {self.classes.of(tenant_id, metric) for metric in metrics}:
            if not self._is_over(TELEMETRY_BLOCK, retention, unit.hour_us):
                self._partitions.ensure(TELEMETRY_BLOCK, [unit.hour_us], retention)
            for table in ROLLUPS.values():
                if not self._is_over(table, retention, unit.hour_us):
                    self._partitions.ensure(table, times_us, retention)
        self._ids.get_or_create(self._connection, tenant_id, unit.device_id, keys)

    def forget(self) -> None:
        """Look again at what exists: partitions may have been dropped."""
        self._partitions.forget()

    def frames(self, unit: Unit) -> UnitFrames:
        """Return the frames of a unit. Raises Refused where they can't be those of one device."""
        runs = read_unit(self._connection, unit.device_id, unit.hour_us, unit.poll_group)
        tenants = {run.tenant_id for run in runs}
        if len(tenants) > 1:
            raise Refused(
                f"frames of {len(tenants)} tenants, {' and '.join(sorted(tenants))}, and a device belongs to one: delete"
                " those of the others from mtd.telemetry_frame (WHERE device_id and tenant_id), or give them its tenant_id"
            )
        known = self.layouts({(run.tenant_id, run.layout_id) for run in runs})
        if len(known) < len({run.layout_id for run in runs}):
            raise Changed("frames of a layout that was declared meanwhile")
        sources = []
        for run in runs:
            layout = known[run.tenant_id, run.layout_id]
            if run.counters.shape[1] != len(layout.counters) or run.gauges.shape[1] != len(layout.gauges):
                raise Refused(
                    f"{len(run)} frame(s) have {run.counters.shape[1]} counters and {run.gauges.shape[1]} gauges,"
                    f" their layout {run.layout_id} has {len(layout.counters)} and {len(layout.gauges)}"
                )
            sources.append(
                FrameSource(
                    unit.hour_us,
                    _series(layout),
                    run.us,
                    run.seq,
                    run.counters,
                    run.counters_absent,
                    run.gauges,
                    unrated=_unrated(layout, run),
                )
            )
        return UnitFrames(next(iter(tenants), ""), sorted({run.layout_id for run in runs}), sources)

    def delete_frames(self, unit: Unit, frames: UnitFrames) -> int:
        """Delete the frames that were read; return how many there were."""
        return delete_unit(self._connection, unit.device_id, unit.hour_us, frames.layout_ids)

    def hour(self, unit: Unit) -> StoredHour | None:
        """Return what is stored of a unit."""
        end_us = unit.hour_us + HOUR_US
        axes = self._axes(unit, unit.hour_us, end_us)
        if not axes:
            return None
        series_of = {number: series for series, number in self._numbers(unit).items()}
        rows = read_blocks(self._connection, list(series_of), unit.hour_us, end_us)
        blocks = {series_of[row.series_id]: row.block for row in rows}
        return StoredHour(unit.hour_us, axes[unit.hour_us], blocks)

    def has_hours(self, unit: Unit, since_us: int, until_us: int) -> bool:
        """Whether hours of [since, until) are stored of the unit's device and poll group."""
        return has_axes(self._connection, unit.device_id, unit.poll_group, since_us, until_us)

    def counters(
        self, unit: Unit, since_us: int, until_us: int, wanted: Collection[Series]
    ) -> list[StoredHour]:
        """Return the hours of [since, until) that have blocks of these series, with them, oldest first."""
        if not wanted:
            return []
        known = self._numbers(unit)
        series_of = {known[series]: series for series in wanted if series in known}
        blocks: dict[int, dict[Series, Block]] = {}
        for row in read_blocks(self._connection, list(series_of), since_us, until_us):
            blocks.setdefault(row.hour_us, {})[series_of[row.series_id]] = row.block
        if not blocks:
            return []
        axes = self._axes(unit, min(blocks), max(blocks) + HOUR_US)
        return [StoredHour(hour_us, axes[hour_us], blocks[hour_us]) for hour_us in sorted(blocks)]

    def write_hour(
        self, unit: Unit, tenant_id: str, axis: Axis, encoded: Sequence[Encoded], stored: StoredHour | None
    ) -> Written:
        """Write axis, blocks and rollups of a unit in the place of what is stored; return what of it is kept as blocks.

        A series whose values are too old to be kept has rollups only, for as long as those are kept.
        """
        numbers = self._numbers(unit)
        kept: list[Encoded] = []
        left_out = 0
        before = {} if stored is None else stored.blocks
        for one in encoded:
            retention = self.classes.of(tenant_id, one.series.metric)
            if not self._is_over(TELEMETRY_BLOCK, retention, unit.hour_us):
                kept.append(one)
            else:
                known = before.get(one.series)
                left_out += one.block.points - (0 if known is None else known.points)
        if stored is not None:
            # All there are: one that stayed as it was wouldn't fit the new axis.
            delete_blocks(self._connection, list(numbers.values()), unit.hour_us)
        if stored is not None or not self._is_over(TELEMETRY_AXIS, STANDARD, unit.hour_us):
            axes = [AxisRow(tenant_id, unit.device_id, unit.poll_group, unit.hour_us, axis)]
            (write_axes if stored is None else replace_axes)(self._connection, axes)
        write_blocks(
            self._connection,
            [
                BlockRow(
                    tenant_id,
                    _number(numbers, one.series),
                    unit.hour_us,
                    self.classes.of(tenant_id, one.series.metric),
                    one.block,
                )
                for one in kept
            ],
        )
        self.write_buckets(unit, tenant_id, {one.series: one.buckets for one in encoded}, before)
        return Written(kept, left_out)

    def write_buckets(
        self,
        unit: Unit,
        tenant_id: str,
        buckets: Mapping[Series, Sequence[Buckets]],
        known: Collection[Series],
    ) -> None:
        """Write the buckets of an hour, one of each step: as rows of their own, or into those of whole days.

        ``known``: series of which the values that the stored buckets are of are
        known, so that these are replaced; of others, stored buckets stay.
        """
        numbers = self._numbers(unit)
        for place, step in enumerate(STEPS_S):
            rows: dict[int, RollupRow] = {}
            parts: dict[int, Buckets] = {}
            stay: set[int] = set()
            for series, each in buckets.items():
                retention = self.classes.of(tenant_id, series.metric)
                if self._is_over(ROLLUPS[step], retention, unit.hour_us):
                    continue
                number, part = _number(numbers, series), each[place]
                parts[number] = part
                if series not in known:
                    stay.add(number)
                rows[number] = RollupRow(tenant_id, number, unit.hour_us, len(part), retention, encode(part))
            # Whatever the clock says of the day: a row of it may be there.
            old = rollups_over(self._connection, step, list(rows), unit.hour_us)
            for number, found in groupby(old, key=lambda row: row.series_id):
                rows[number] = _into(list(found), rows[number], parts[number], stay=number in stay)
            replace_rollups(self._connection, step, list(rows.values()), old)

    def _numbers(self, unit: Unit) -> dict[Series, int]:
        """Return the numbers of all series of the unit's device and poll group."""
        found = numbers_of(self._connection, unit.device_id, unit.poll_group)
        return {
            shared_series(metric, instance, Lane(lane)): number for metric, instance, lane, number in found
        }

    def _axes(self, unit: Unit, since_us: int, until_us: int) -> dict[int, Axis]:
        rows = read_axes(self._connection, unit.device_id, [unit.poll_group], since_us, until_us)
        return {row.hour_us: row.axis for row in rows}

    def _is_over(self, table: PartitionedTable, retention: str, hour_us: int) -> bool:
        """Whether an hour isn't kept any more in a table: what comes now comes too late."""
        return hour_us < self._retention.oldest_us(table, self._clock.now_us() - _CLOSING_US, retention)


def _into(old: Sequence[RollupRow], row: RollupRow, part: Buckets, *, stay: bool) -> RollupRow:
    """Return the row that holds the buckets of an hour and all those of the rows that are there."""
    if not stay and [(one.start_us, one.buckets) for one in old] == [(row.start_us, row.buckets)]:
        return row
    # Of rows that overlap, that of an hour is the newer one.
    whole = joined([decode(one.packed) for one in sorted(old, key=lambda one: -one.buckets)])
    whole = fill_in(whole, part) if stay else replace_slice(whole, part)
    # An hour's row is kept as its class is now, a day's as the day is.
    kept = old[0] if len(whole) > row.buckets else row
    return kept._replace(start_us=whole.start_s * 1_000_000, buckets=len(whole), packed=encode(whole))


def _number(numbers: Mapping[Series, int], series: Series) -> int:
    """Return the number of a series. Raises Changed for one that came while the unit was prepared."""
    number = numbers.get(series)
    if number is None:
        raise Changed(f"a series that is new: {series.metric}")
    return number


def _series(layout: StoredLayout) -> list[Series]:
    return [
        shared_series(metric, instance, lane)
        for lane, places in ((Lane.COUNTER, layout.counters), (Lane.GAUGE, layout.gauges))
        for metric, instance in places
    ]


def _unrated(layout: StoredLayout, run: FrameRun) -> dict[Series, NDArray[np.bool_]]:
    """Return at which frames none of its rates was told, of counters that have rates and lack some."""
    absent = run.rates_absent
    if absent is None or absent.shape[1] != len(layout.rated):
        return {}
    lacking = set(np.flatnonzero(absent.any(axis=0)).tolist())
    found: dict[Series, NDArray[np.bool_]] = {}
    for place, (metric, instance) in enumerate(layout.rated):
        if not metric:
            continue
        counter = shared_series(metric, instance, Lane.COUNTER)
        untold: NDArray[np.bool_] = (
            absent[:, place] if place in lacking else np.zeros(len(run), dtype=np.bool_)
        )
        found[counter] = found[counter] & untold if counter in found else untold
    return {counter: untold for counter, untold in found.items() if untold.any()}


def _keys(unit: Unit, found: Collection[StoredLayout]) -> list[SeriesKey]:
    return [
        SeriesKey(one.metric, one.instance, one.lane.value, unit.poll_group)
        for one in dict.fromkeys(series for layout in found for series in _series(layout))
    ]


def _size(block: Block) -> int:
    size = len(block.packed)
    if block.values is not None:
        size += block.values.nbytes + (0 if block.absent is None else len(block.absent) // 8)
    return size
