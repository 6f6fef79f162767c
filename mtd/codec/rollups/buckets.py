"""Buckets of a series, computed from its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.decimals import as_integers
from mtd.codec.rollups.percentile import ALL_BELOW, percentile95
from mtd.codec.rollups.rates import Before, Growth, following, growth, per_second

_T = TypeVar("_T", np.int64, np.uint64)

_EXACT = 1 << 53


@dataclass(frozen=True, slots=True, eq=False)
class Buckets:
    """Consecutive buckets of ``step_s`` seconds from ``start_s`` on, which is a multiple of the step.

    ``count`` is the number of points, 0 where there are none. ``minimum``,
    ``maximum``, ``mean`` and ``p95`` (nearest rank) are of the values of a gauge, or
    of the rates per second of a counter, the mean by time; NaN where there is none.
    Rates are rounded to what a float32 holds. Of counters only: ``increase`` is the
    growth in the bucket across resets, ``last`` the last value (0 where none is).
    """

    start_s: int
    step_s: int
    count: NDArray[np.int64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    mean: NDArray[np.float64]
    p95: NDArray[np.float64]
    increase: NDArray[np.int64] | None = None
    last: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.count)

    @property
    def end_s(self) -> int:
        """When the last bucket ends."""
        return self.start_s + self.step_s * len(self.count)


def gauge_buckets(
    ms: NDArray[np.int64], values: NDArray[np.float64], step_s: int, start_s: int, buckets: int
) -> Buckets:
    """Return the buckets of a gauge, from its values and their moments since the epoch, ascending.

    Values before the first bucket or after the last don't count.
    """
    edges = _edges(ms, step_s, start_s, buckets)
    values = values[edges[0] : edges[-1]]
    edges -= edges[0]
    count = np.diff(edges)
    return Buckets(
        start_s, step_s, count, *_spread(values, edges), _means(values, edges), _p95(values, edges)
    )


def counter_buckets(
    ms: NDArray[np.int64],
    values: NDArray[np.int64],
    step_s: int,
    start_s: int,
    buckets: int,
    *,
    before: Before,
    max_gap_ms: int,
    withheld: NDArray[np.bool_] | None = None,
) -> Buckets:
    """Return the buckets of a counter, from its values and their moments since the epoch, ascending.

    ``before`` are the last two points before these. No rate is told over more than
    ``max_gap_ms``, nor up to those points where it is ``withheld`` (None: nowhere).
    Points before the first bucket only serve the first within.
    """
    first, end = np.searchsorted(ms, (start_s * 1000, (start_s + step_s * buckets) * 1000))
    if first:
        before = following(before, ms[:first], values[:first])
    ms, values = ms[first:end], values[first:end]
    grown = growth(ms, values, before, max_gap_ms, None if withheld is None else withheld[first:end])
    return grown_buckets(ms, values, grown, step_s, start_s, buckets, before=before)


def grown_buckets(
    ms: NDArray[np.int64],
    values: NDArray[np.int64],
    grown: Growth,
    step_s: int,
    start_s: int,
    buckets: int,
    *,
    before: Before,
) -> Buckets:
    """Return the buckets of a counter whose `growth` is known, so that several steps need it but once.

    All points are within the buckets; ``before`` is what the growth began with.
    """
    edges = _edges(ms, step_s, start_s, buckets)
    count = np.diff(edges)
    last = np.zeros(buckets, dtype=np.int64)
    last[count > 0] = values[edges[1:][count > 0] - 1]
    rates, known = grown.rates, grown.elapsed_ms > 0
    inner = edges
    if before and before[-1][1] >= before[0][1] and known.all():
        # Nothing fell and nothing is missing: sums of changes are changes.
        increase = np.diff(np.append(before[-1][1], values)[edges])
        mean = per_second(increase.view(np.uint64), np.diff(np.append(before[-1][0], ms)[edges]))
    else:
        rates = rates[known]
        inner = np.append(0, np.cumsum(known))[edges]
        increase = _sums(grown.increase, edges)
        mean = per_second(_sums(grown.risen, edges), _sums(grown.elapsed_ms, edges))
    lowest, highest = _spread(rates, inner)
    p95 = highest if int(np.diff(inner).max(initial=0)) < ALL_BELOW else _p95(rates, inner)
    return Buckets(
        start_s,
        step_s,
        count,
        _rounded(lowest),
        _rounded(highest),
        _rounded(mean),
        _rounded(p95),
        increase,
        last,
    )


def concatenate(parts: Sequence[Buckets]) -> Buckets:
    """Return buckets that follow each other as one run; what lies between two becomes empty buckets.

    Raises:
        ValueError: There are none, or they overlap, or aren't of one kind and step.
    """
    if not parts:
        raise ValueError("no buckets to put together")
    first = parts[0]
    filled = [first]
    for part in parts[1:]:
        end_s = filled[-1].end_s
        if part.step_s != first.step_s or (part.increase is None) != (first.increase is None):
            raise ValueError("buckets of different kinds")
        if part.start_s < end_s:
            raise ValueError("buckets overlap")
        if part.start_s > end_s:
            missing = (part.start_s - end_s) // first.step_s
            filled.append(_empty(end_s, first.step_s, missing, counter=first.increase is not None))
        filled.append(part)
    if len(filled) == 1:
        return first
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in filled])
        for name in _COLUMNS
        if getattr(first, name) is not None
    }
    return replace(first, **columns)


def cut(buckets: Buckets, start_s: int, end_s: int) -> Buckets:
    """Return those buckets that begin from one moment on and before another."""
    first = min(max(-((buckets.start_s - start_s) // buckets.step_s), 0), len(buckets))
    end = min(max(-((buckets.start_s - end_s) // buckets.step_s), first), len(buckets))
    columns = {
        name: getattr(buckets, name)[first:end] for name in _COLUMNS if getattr(buckets, name) is not None
    }
    return replace(buckets, start_s=buckets.start_s + first * buckets.step_s, **columns)


def replace_slice(whole: Buckets, part: Buckets) -> Buckets:
    """Return buckets of which some are replaced by others of the same moments, or which go on with them.

    Raises:
        ValueError: They aren't of one kind and step.
    """
    sides = (cut(whole, whole.start_s, part.start_s), part, cut(whole, part.end_s, whole.end_s))
    return concatenate([side for side in sides if len(side)] or [part])


def joined(parts: Sequence[Buckets]) -> Buckets:
    """Return buckets as one run, of which later ones replace earlier ones of the same moments.

    Raises:
        ValueError: There are none, or they aren't of one kind and step.
    """
    if not parts:
        raise ValueError("no buckets to put together")
    whole = parts[0]
    for part in parts[1:]:
        whole = replace_slice(whole, part)
    return whole


def fill_in(whole: Buckets, part: Buckets) -> Buckets:
    """Return buckets with others where they have nothing, or which go on with them."""
    filled = replace_slice(whole, part)
    kept = np.flatnonzero(whole.count)
    places = kept + (whole.start_s - filled.start_s) // whole.step_s
    columns = {}
    for name in _COLUMNS:
        column = getattr(filled, name)
        if column is not None:
            columns[name] = column.copy()
            columns[name][places] = getattr(whole, name)[kept]
    return replace(filled, **columns)


_COLUMNS = tuple(field.name for field in fields(Buckets))[2:]


def _empty(start_s: int, step_s: int, buckets: int, *, counter: bool) -> Buckets:
    none = np.full(buckets, np.nan)
    zeros = np.zeros(buckets, dtype=np.int64)
    integers = (zeros, zeros) if counter else (None, None)
    return Buckets(start_s, step_s, zeros, none, none, none, none, *integers)


def _edges(ms: NDArray[np.int64], step_s: int, start_s: int, buckets: int) -> NDArray[np.int64]:
    """Return where each bucket's points begin, and where those of the last end."""
    moments = (np.arange(buckets + 1, dtype=np.int64) * step_s + start_s) * 1000
    return np.searchsorted(ms, moments).astype(np.int64)


def _spread(
    values: NDArray[np.float64], edges: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the smallest and the largest of each bucket, NaN where it is empty."""
    full, starts = _filled(edges)
    lowest = np.full(len(full), np.nan)
    highest = np.full(len(full), np.nan)
    if len(starts):
        lowest[full] = np.minimum.reduceat(values, starts)
        highest[full] = np.maximum.reduceat(values, starts)
    return lowest, highest


def _means(values: NDArray[np.float64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mean of each bucket: of the decimals, where all are, which is exact up to one rounding."""
    full, starts = _filled(edges)
    means = np.full(len(full), np.nan)
    if not len(starts):
        return means
    count = np.diff(edges)[full]
    found = as_integers(values)
    if found is not None:
        integers, divisor = found
        if int(np.abs(integers).max()) * int(count.max()) < _EXACT:
            means[full] = np.add.reduceat(integers, starts) / (count * divisor)
            return means
    with np.errstate(over="ignore", invalid="ignore"):
        means[full] = np.add.reduceat(values, starts) / count
    return means


def _p95(values: NDArray[np.float64], edges: NDArray[np.int64]) -> NDArray[np.float64]:
    full, starts = _filled(edges)
    result = np.full(len(full), np.nan)
    if len(starts):
        result[full] = percentile95(values, starts, np.diff(edges)[full])
    return result


def _sums(values: NDArray[_T], edges: NDArray[np.int64]) -> NDArray[_T]:
    """Return the sum of each bucket modulo 2^64, 0 where it is empty."""
    full, starts = _filled(edges)
    sums = np.zeros(len(full), dtype=values.dtype)
    if len(starts):
        sums[full] = np.add.reduceat(values, starts)
    return sums


def _filled(edges: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return which buckets have points, and where the points of these begin."""
    full = edges[1:] > edges[:-1]
    return full, edges[:-1][full]


def _rounded(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    return rates.astype(np.float32).astype(np.float64)
