"""Merged polls to blocks and buckets, and the proof that the blocks hold every poll of every source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks import Axis, Block, decode_axis, encode_counters, encode_gauges
from mtd.codec.rollups import Before, Buckets, Growth, gauge_buckets, grown_buckets
from mtd.compaction.polls import Bits, Merged, Slice, Source
from mtd.compaction.sources import decoded
from mtd.model.layout import Series
from mtd.model.metric import Lane
from mtd.model.rates import GAP_INTERVALS

STEPS_S = (10, 60, 300)
"""Steps of the rollups."""
HOUR_S = 3600


class Unfaithful(Exception):
    """What was encoded doesn't read back as it was."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A series of one hour; ``last`` are its last two points if it is a counter."""

    series: Series
    block: Block
    buckets: Sequence[Buckets]
    last: Before


def max_gap_ms(axis: Axis) -> int:
    """Return the longest time over which a rate is told."""
    return int(GAP_INTERVALS * axis.step_ms)


def encode_series(lane: Lane, bits: Bits, absent: NDArray[np.bool_], *, dense: bool) -> Block:
    """Return the block of one series."""
    if lane is Lane.COUNTER:
        return encode_counters(bits, absent, dense=dense)
    gauges = bits.view(np.float64)
    if absent.any():
        gauges = np.where(absent, np.nan, gauges)
    return encode_gauges(gauges, dense=dense)


def gauge_steps(ms: NDArray[np.int64], bits: Bits, hour_s: int) -> list[Buckets]:
    """Return a gauge's buckets of each step; the points are those that are there, their moments since the epoch."""
    values = bits.view(np.float64)
    return [gauge_buckets(ms, values, step, hour_s, HOUR_S // step) for step in STEPS_S]


def counter_steps(
    ms: NDArray[np.int64], bits: Bits, grown: Growth, hour_s: int, before: Before
) -> list[Buckets]:
    """Return a counter's buckets of each step, by how it grew since ``before``; the points as for a gauge."""
    return [grown_buckets(ms, bits, grown, step, hour_s, HOUR_S // step, before=before) for step in STEPS_S]


def to_withhold(grown: Growth, untold: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where the points of a counter tell a rate, or may once more is known before them, and none was told."""
    tells = grown.elapsed_ms > 0
    # What the first point of an hour tells depends on hours that may yet come.
    tells[:1] = True
    return tells & untold


def check_axis(axis: Axis, sources: Sequence[Source], merged: Merged) -> None:
    """Raise Unfaithful unless each poll of each source is where it was."""
    ms = decode_axis(axis)
    if axis.polls != len(merged.ms) or len(ms) != len(merged.ms):
        raise Unfaithful("the number of polls differs")
    if (np.diff(ms) < 0).any():
        raise Unfaithful("the times of the polls don't ascend")
    for source, place in zip(sources, merged.places, strict=True):
        if not np.array_equal(ms[place], source.ms):
            raise Unfaithful("the times of the polls differ")


def check_slice(lane: Lane, part: Slice, blocks: Sequence[Block | None], merged: Merged) -> None:
    """Raise Unfaithful unless each value of each source can be read back, bit by bit; None: no value at all.

    Every place of the axis is that of a poll of some source, so nothing can be in a block that no source has.
    """
    polls = len(merged.ms)
    bits = np.zeros((len(blocks), polls), dtype=np.int64)
    absent = np.ones((len(blocks), polls), dtype=np.bool_)
    for row, block in enumerate(blocks):
        if block is not None:
            bits[row], absent[row] = decoded(lane, block, polls)
            if block.points != polls - int(absent[row].sum()):
                raise Unfaithful(f"{_name(part.series[row])}: the number of points differs")
    for (expected, missing), place in zip(part.parts, merged.places, strict=True):
        straight = len(place) == polls and bool((place == np.arange(polls)).all())
        found, gone = (bits, absent) if straight else (bits[:, place], absent[:, place])
        wrong = (gone != missing) | ((found != expected) & ~missing)
        if wrong.any():
            row = int(wrong.any(axis=1).argmax())
            raise Unfaithful(f"{_name(part.series[row])}: {int(wrong[row].sum())} value(s) differ")


def same_block(one: Block, other: Block) -> bool:
    """Whether two blocks are the same, bit by bit, but for what arrays hold where nothing is."""
    if (one.form, one.base, one.divisor, one.points, one.packed) != (
        other.form,
        other.base,
        other.divisor,
        other.points,
        other.packed,
    ):
        return False
    if (one.withheld is None) != (other.withheld is None) or (
        one.withheld is not None
        and other.withheld is not None
        and not np.array_equal(one.withheld, other.withheld)
    ):
        return False
    if one.values is None or other.values is None:
        return one.values is None and other.values is None
    if one.values.dtype != other.values.dtype or len(one.values) != len(other.values):
        return False
    absent = np.zeros(len(one.values), dtype=np.bool_) if one.absent is None else one.absent
    gone = np.zeros(len(one.values), dtype=np.bool_) if other.absent is None else other.absent
    bits = [each.view(f"i{each.itemsize}") for each in (one.values, other.values)]
    return np.array_equal(absent, gone) and bool(((bits[0] == bits[1]) | absent).all())


def _name(series: Series) -> str:
    return f"{series.metric} of {series.instance}" if series.instance else series.metric
