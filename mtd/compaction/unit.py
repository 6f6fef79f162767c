"""One hour of one device and poll group, in one transaction."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks import Axis, Block, decode_axis, encode_axis
from mtd.codec.rollups import Before, following, growth
from mtd.compaction.encoding import (
    Encoded,
    Unfaithful,
    check_axis,
    check_slice,
    counter_steps,
    encode_series,
    gauge_steps,
    max_gap_ms,
    same_block,
    to_withhold,
)
from mtd.compaction.messages import UnitDone
from mtd.compaction.polls import Merged, Slice, Source, all_series, merge, merged_slice, portions, unrated
from mtd.compaction.sources import LANES
from mtd.compaction.store import Changed, StoredHour, Unit, UnitStore, Written
from mtd.compaction.tails import points_before, recompute_following
from mtd.model.layout import Series
from mtd.model.metric import Lane


class UnitCompactor:
    """Compacts units on one connection."""

    def __init__(self, store: UnitStore) -> None:
        self._store = store

    def compact(self, unit: Unit, *, dense: bool) -> UnitDone | None:
        """Turn the frames of a unit into blocks; None if it has none.

        Raises Unfaithful if what was encoded doesn't read back, Refused for
        frames that make no sense, Overtaken where the same again may succeed,
        and what else the database raises. The frames are then where they were.
        """
        began, cpu = time.monotonic(), time.process_time()
        with self._store.transaction():
            done = _Work(self._store, unit, dense).do()
        if done is None:
            return None
        return dataclasses.replace(
            done,
            cpu_s=round(time.process_time() - cpu, 6),
            duration_s=round(time.monotonic() - began, 6),
        )


class _Work:
    """The steps of one unit; a new one for each attempt."""

    def __init__(self, store: UnitStore, unit: Unit, dense: bool) -> None:
        self._store = store
        self._unit, self._dense = unit, dense

    def do(self) -> UnitDone | None:
        """Read, merge, encode, verify, write, delete."""
        unit, store = self._unit, self._store
        frames = store.frames(unit)
        count = sum(len(source.ms) for source in frames.sources)
        if not count:
            return None
        stored = store.hour(unit)
        sources: list[Source] = [*([] if stored is None else [stored.source()]), *frames.sources]
        merged = merge(sources)
        kind, points, written = "repeat", 0, Written((), 0)
        if stored is None or len(merged.ms) > stored.axis.polls:
            kind = "new" if stored is None else "late"
            axis = encode_axis(merged.ms)
            check_axis(axis, sources, merged)
            encoded = self._encode(sources, merged, axis)
            written = self._write(frames.tenant_id, axis, encoded, stored)
            check_stored(axis, written.kept, store.hour(unit))
            points = sum(one.block.points for one in encoded) - (0 if stored is None else stored.points)
        if store.delete_frames(unit, frames) != count:
            raise Changed("frames of the unit were changed while it was compacted")
        return UnitDone(
            unit.device_id,
            unit.poll_group,
            unit.hour_us,
            kind,
            frames=count,
            repeated=merged.duplicates,
            polls=len(merged.ms),
            series=len(written.kept),
            points=points - written.left_out,
            size=written.size,
            left_out=written.left_out,
            cpu_s=0.0,
            duration_s=0.0,
        )

    def _encode(self, sources: Sequence[Source], merged: Merged, axis: Axis) -> list[Encoded]:
        before = points_before(self._store, self._unit, all_series(sources, Lane.COUNTER))
        gap_ms = max_gap_ms(axis)
        encoded: list[Encoded] = []
        for lane in LANES:
            for series in portions(sources, lane):
                part = merged_slice(sources, merged, lane, series)
                blocks = [
                    None if gone.all() else encode_series(lane, bits, gone, dense=self._dense)
                    for bits, gone in zip(part.bits, part.absent, strict=True)
                ]
                check_slice(lane, part, blocks, merged)
                for row, block in enumerate(blocks):
                    if block is not None:
                        encoded.append(self._summed(lane, part, row, block, sources, merged, before, gap_ms))
        return encoded

    def _summed(
        self,
        lane: Lane,
        part: Slice,
        row: int,
        block: Block,
        sources: Sequence[Source],
        merged: Merged,
        before: Mapping[Series, Before],
        gap_ms: int,
    ) -> Encoded:
        series = part.series[row]
        ms, bits = present(merged.ms, part.bits[row], part.absent[row], self._unit)
        hour_s, earlier = self._unit.hour_us // 1_000_000, before.get(series, ())
        if lane is Lane.GAUGE:
            return Encoded(series, block, gauge_steps(ms, bits, hour_s), ())
        grown = growth(ms, bits, earlier, gap_ms)
        known = unrated(sources, merged, series)
        if known is not None:
            there = np.flatnonzero(~part.absent[row])
            untold, kept = known[0][there], known[1][there]
            withheld = kept | to_withhold(grown, untold)
            grown = grown.without_rates(withheld)
            places = there[withheld].astype(np.int32)
            block = dataclasses.replace(block, withheld=places if len(places) else None)
        buckets = counter_steps(ms, bits, grown, hour_s, earlier)
        return Encoded(series, block, buckets, following((), ms, bits))

    def _write(
        self, tenant_id: str, axis: Axis, encoded: Sequence[Encoded], stored: StoredHour | None
    ) -> Written:
        unit, store = self._unit, self._store
        written = store.write_hour(unit, tenant_id, axis, encoded, stored)
        lasts = {one.series: one.last for one in encoded if one.last}
        recompute_following(store, unit, tenant_id, lasts, stored)
        return written


def check_stored(axis: Axis, kept: Sequence[Encoded], found: StoredHour | None) -> None:
    """Raise Unfaithful unless the database gives back exactly what was given to it."""
    if not kept:
        return
    if found is None or not np.array_equal(decode_axis(found.axis), decode_axis(axis)):
        raise Unfaithful("the stored times of the polls differ")
    if len(found.blocks) != len(kept):
        raise Unfaithful(f"{len(kept)} blocks were stored, there are {len(found.blocks)}")
    for one in kept:
        block = found.blocks.get(one.series)
        if block is None or not same_block(block, one.block):
            raise Unfaithful(f"what is stored of {one.series.metric} {one.series.instance} differs")


def present(
    ms: NDArray[np.int64], bits: NDArray[np.int64], absent: NDArray[np.bool_], unit: Unit
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return moments since the epoch and values of what is there."""
    moments = ms + unit.hour_us // 1000
    if absent.any():
        there = ~absent
        return moments[there], bits[there]
    return moments, bits
