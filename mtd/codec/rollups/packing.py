"""Buckets to bytes and back, without loss.

What follows from the rest isn't kept: the last counter is the one before plus
the increase, the mean of a counter its increase over a time near the step, that
of a gauge a whole number over the count. Where one doesn't follow exactly, the
difference is kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.integers import Damaged
from mtd.codec.rollups.buckets import Buckets
from mtd.codec.rollups.columns import Reader, Writer
from mtd.codec.rollups.few import MOST, pack_few
from mtd.codec.rollups.floats import DOUBLE, SINGLE, common_scale, divisor_of, ordered, restored

_MANY, _FEW = 0, 1
_MS = 1000
_EXACT = float(1 << 53)
_MOST_BUCKETS = 1 << 24

__all__ = ["Damaged", "decode", "decode_means", "encode"]


def encode(buckets: Buckets) -> bytes:
    """Return buckets as bytes that nothing else is needed to read.

    Raises:
        ValueError: They contradict themselves: a largest value without a smallest, or
            values of nothing. (Few buckets are kept even so.)
    """
    out = Writer()
    few = len(buckets) <= MOST
    for number in (
        _FEW if few else _MANY,
        buckets.start_s,
        buckets.step_s,
        len(buckets),
        buckets.increase is not None,
    ):
        out.number(number)
    if few:
        return out.finish() + pack_few(buckets)
    out.integers(buckets.count)
    empty = buckets.count == 0
    if not (np.isnan(buckets.mean[empty]).all() and np.isnan(buckets.maximum[empty]).all()):
        raise ValueError("a bucket without points has values")
    if buckets.increase is not None and buckets.last is not None:
        out.integers(buckets.increase)
        _write_last(out, buckets.increase, buckets.last, ~empty)
        none = np.isnan(buckets.mean)
        out.mask(none, empty)
        _write_rates(out, buckets.mean[~none], buckets.increase[~none], buckets.step_s)
        _write_extremes(out, buckets, none, _guide(buckets.mean))
    else:
        scale, lowest, there = _write_extremes(out, buckets, empty, None)
        _write_means(out, buckets, scale, lowest, there)
    return out.finish()


def decode(data: bytes) -> Buckets:
    """Return the buckets of such bytes.

    Raises:
        Damaged: They aren't from `encode`.
    """
    source = Reader(data)
    way, start_s, step_s, length, counter = _read_head(source)
    if way == _FEW:
        floats, integers = source.few(length, counter=bool(counter))
        source.finish()
        smallest, highest, mean, p95 = floats
        return Buckets(start_s, step_s, integers[0], smallest, highest, mean, p95, *integers[1:])
    count = source.integers(length)
    empty = count == 0
    increase = last = None
    if counter:
        increase = source.integers(length)
        last = _read_last(source, increase, ~empty)
        none = source.mask(empty)
        mean = np.full(length, np.nan)
        mean[~none] = _read_rates(source, increase[~none], step_s)
        _, _, there, extremes = _read_extremes(source, none, _guide(mean))
    else:
        scale, lowest, there, extremes = _read_extremes(source, empty, None)
        mean = _read_means(source, count, scale, lowest, there)
    source.finish()
    highest, smallest, p95 = extremes
    return Buckets(start_s, step_s, count, smallest, highest, mean, p95, increase, last)


def decode_means(data: bytes) -> tuple[int, NDArray[np.float64]]:
    """Return when the buckets of such bytes begin, and their means: in half the time that all columns take.

    Raises:
        Damaged: They aren't from `encode`; not all damage is seen.
    """
    source = Reader(data)
    way, start_s, step_s, length, counter = _read_head(source)
    if way == _FEW or not counter:
        return start_s, decode(data).mean
    empty = source.integers(length) == 0
    increase = source.integers(length)
    source.integers(length - int(np.count_nonzero(empty)))
    none = source.mask(empty)
    mean = np.full(length, np.nan)
    mean[~none] = _read_rates(source, increase[~none], step_s)
    return start_s, mean


def _read_head(source: Reader) -> tuple[int, int, int, int, int]:
    """Return the way of packing, start, step, number of buckets, and whether they are of a counter."""
    way = source.number()
    if way not in (_MANY, _FEW):
        raise Damaged("an unknown way of packing buckets")
    start_s, step_s, length, counter = (source.number() for _ in range(4))
    if not 0 <= length <= _MOST_BUCKETS or step_s < 1:
        raise Damaged("no such buckets")
    return way, start_s, step_s, length, counter


# ---------------------------------------------------------------- last counters


def _write_last(
    out: Writer, increase: NDArray[np.int64], last: NDArray[np.int64], full: NDArray[np.bool_]
) -> None:
    if last[~full].any():
        raise ValueError("a bucket without points has a last counter")
    rest = last[full]
    rest[1:] -= last[full][:-1]
    out.integers(rest - increase[full])


def _read_last(source: Reader, increase: NDArray[np.int64], full: NDArray[np.bool_]) -> NDArray[np.int64]:
    last = np.zeros(len(full), dtype=np.int64)
    grown = increase[full]
    last[full] = np.cumsum(source.integers(len(grown)) + grown)
    return last


# ------------------------------------------------------------------------ means


def _write_rates(out: Writer, means: NDArray[np.float64], increase: NDArray[np.int64], step_s: int) -> None:
    """Write the mean rates as the milliseconds over which the counter increased."""
    usual = step_s * _MS
    with np.errstate(all="ignore"):
        near = np.rint(increase * float(_MS) / means)
    near[(means == 0) | ~(np.abs(near) < _EXACT) | (near == 0)] = usual
    elapsed = near.astype(np.int64)
    wrong = _bits(_rates(increase, elapsed)) != _bits(means)
    elapsed[wrong] = usual
    out.integers(elapsed, orders=1)
    _write_exceptions(out, means, wrong)


def _read_rates(source: Reader, increase: NDArray[np.int64], step_s: int) -> NDArray[np.float64]:
    elapsed = source.integers(len(increase))
    if not elapsed.all():
        raise Damaged("a rate over no time")
    means = _rates(increase, elapsed)
    return _read_exceptions(source, means)


def _rates(increase: NDArray[np.int64], elapsed_ms: NDArray[np.int64]) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return (increase * float(_MS) / elapsed_ms).astype(np.float32).astype(np.float64)


def _write_means(
    out: Writer, buckets: Buckets, scale: int, lowest: NDArray[np.int64], there: NDArray[np.bool_]
) -> None:
    """Write the means of a gauge as the sum of what each value is above the lowest."""
    none = np.isnan(buckets.mean)
    out.mask(none, ~there)
    divisor = divisor_of(scale)
    if divisor is None or (none != ~there).any():
        out.number(0)
        out.integers(ordered(buckets.mean[~none]))
        return
    out.number(1)
    means, count = buckets.mean[there], buckets.count[there]
    with np.errstate(over="ignore"):
        near = np.rint(means * (count * divisor))
    near[~(np.abs(near) < _EXACT)] = 0
    sums = near.astype(np.int64)
    wrong = _bits(sums / (count * divisor)) != _bits(means)
    rest = sums - count * lowest
    rest[wrong] = 0
    out.integers(rest)
    _write_exceptions(out, means, wrong)


def _read_means(
    source: Reader, count: NDArray[np.int64], scale: int, lowest: NDArray[np.int64], there: NDArray[np.bool_]
) -> NDArray[np.float64]:
    none = source.mask(~there)
    means = np.full(len(count), np.nan)
    plain = not source.number()
    divisor = divisor_of(scale)
    if plain or divisor is None:
        means[~none] = restored(source.integers(len(count) - int(np.count_nonzero(none))), DOUBLE)
        return means
    sums = source.integers(len(lowest)) + count[there] * lowest
    means[there] = _read_exceptions(source, sums / (count[there] * divisor))
    return means


def _write_exceptions(out: Writer, values: NDArray[np.float64], wrong: NDArray[np.bool_]) -> None:
    out.mask(wrong, np.zeros(len(wrong), dtype=np.bool_))
    if wrong.any():
        out.integers(ordered(values[wrong]))


def _read_exceptions(source: Reader, values: NDArray[np.float64]) -> NDArray[np.float64]:
    wrong = source.mask(np.zeros(len(values), dtype=np.bool_))
    if wrong.any():
        values[wrong] = restored(source.integers(int(np.count_nonzero(wrong))), DOUBLE)
    return values


# --------------------------------------------------------------------- extremes


def _write_extremes(
    out: Writer, buckets: Buckets, expected: NDArray[np.bool_], guide: NDArray[np.int64] | None
) -> tuple[int, NDArray[np.int64], NDArray[np.bool_]]:
    """Write the largest, smallest and 95th percentile; return their scale, the smallest in it, and where they are.

    A guide in the scale of floats, if there is one, lies between the extremes.
    """
    none = np.isnan(buckets.maximum)
    if (np.isnan(buckets.minimum) != none).any() or (np.isnan(buckets.p95) != none).any():
        raise ValueError("a bucket has some of its smallest, largest and 95th percentile")
    there = ~none
    out.mask(none, expected)
    columns = (buckets.maximum, buckets.minimum, buckets.p95)
    together = np.concatenate([column[there] for column in columns])
    scale, together = common_scale(together, prefer_single=guide is not None)
    highest, lowest, p95 = together.reshape(3, -1)
    out.number(scale)
    guided = None if guide is None or scale != SINGLE else guide[there]
    _write_beside(out, lowest, guided)
    _write_beside(out, highest, lowest if guided is None else guided)
    out.integers(highest - p95)
    return scale, lowest, there


def _read_extremes(
    source: Reader, expected: NDArray[np.bool_], guide: NDArray[np.int64] | None
) -> tuple[int, NDArray[np.int64], NDArray[np.bool_], list[NDArray[np.float64]]]:
    there = ~source.mask(expected)
    length = int(np.count_nonzero(there))
    scale = source.number()
    guided = None if guide is None or scale != SINGLE else guide[there]
    lowest = _read_beside(source, length, guided)
    highest = _read_beside(source, length, lowest if guided is None else guided)
    columns = []
    for integers in (highest, lowest, highest - source.integers(length)):
        column = np.full(len(there), np.nan)
        column[there] = restored(integers, scale)
        columns.append(column)
    return scale, lowest, there, columns


def _guide(means: NDArray[np.float64]) -> NDArray[np.int64]:
    with np.errstate(over="ignore"):
        # NaN has many bit patterns, of which only one would come back.
        return ordered(np.where(np.isnan(means), 0.0, means).astype(np.float32))


def _write_beside(out: Writer, values: NDArray[np.int64], guide: NDArray[np.int64] | None) -> None:
    """Write integers by how far they are from others, if that says less than their own changes do."""
    if guide is not None and len(values) > 1:
        away = values - guide
        if _unrest(away - away[0]) < _unrest(np.diff(values)):
            out.number(1)
            out.integers(away, orders=1)
            return
    out.number(0)
    out.integers(values)


def _read_beside(source: Reader, length: int, guide: NDArray[np.int64] | None) -> NDArray[np.int64]:
    if not source.number():
        return source.integers(length)
    if guide is None:
        raise Damaged("integers beside nothing")
    return source.integers(length) + guide


def _unrest(values: NDArray[np.int64]) -> float:
    return float(np.abs(values.astype(np.float64)).sum())


def _bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return values.view(np.int64)
