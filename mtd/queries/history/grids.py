"""Buckets of one series on one grid: put together of rollups and what isn't rolled up, then made wider."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mtd.codec.rollups import Buckets

Places: TypeAlias = "slice | NDArray[np.intp]"

_FLOATS = ("minimum", "maximum", "mean", "p95")
_INTS = ("increase", "last")


class Grid:
    """All buckets of ``step_s`` from ``start_s`` on. Empty at first: no bucket has a value."""

    def __init__(self, start_s: int, step_s: int, buckets: int, *, counter: bool) -> None:
        self.start_s = start_s
        self.step_s = step_s
        self.counter = counter
        self.count = np.zeros(buckets, dtype=np.int64)
        self.minimum, self.maximum, self.mean, self.p95 = (np.full(buckets, np.nan) for _ in _FLOATS)
        self.increase, self.last = (np.zeros(buckets if counter else 0, dtype=np.int64) for _ in _INTS)

    def __len__(self) -> int:
        return len(self.count)

    def put(self, part: Buckets) -> None:
        """Take the buckets of a part that lie on the grid and have a value.

        A bucket that has one already, of a series that moved within it, is
        joined with the other as buckets are that become wider.
        """
        first = (part.start_s - self.start_s) // self.step_s
        begin, end = max(0, first), min(len(self), first + len(part.count))
        if begin >= end:
            return
        here, there = slice(begin, end), slice(begin - first, end - first)
        before = self.count[here]
        if not before.any():
            self._set(here, part, there)
            return
        fresh = (before == 0) & (part.count[there] > 0)
        both = (before > 0) & (part.count[there] > 0)
        if both.any():
            self._join(np.flatnonzero(both) + begin, part, np.flatnonzero(both) + begin - first)
        self._set(np.flatnonzero(fresh) + begin, part, np.flatnonzero(fresh) + begin - first)

    def _set(self, here: Places, part: Buckets, there: Places) -> None:
        self.count[here] = part.count[there]
        for name in _FLOATS:
            getattr(self, name)[here] = getattr(part, name)[there]
        if self.counter:
            for name in _INTS:
                getattr(self, name)[here] = getattr(part, name)[there]

    def _join(self, here: NDArray[np.intp], part: Buckets, there: NDArray[np.intp]) -> None:
        count = np.column_stack((self.count[here], part.count[there]))
        self.minimum[here] = np.fmin(self.minimum[here], part.minimum[there])
        self.maximum[here] = np.fmax(self.maximum[here], part.maximum[there])
        self.mean[here] = _mean(np.column_stack((self.mean[here], part.mean[there])), count)
        self.p95[here] = _p95(np.column_stack((self.p95[here], part.p95[there])), count)
        self.count[here] = count.sum(axis=1)
        if self.counter and part.increase is not None and part.last is not None:
            self.increase[here] += part.increase[there]
            self.last[here] = part.last[there]

    def clear(self, start_s: int, end_s: int) -> None:
        """Forget the buckets of [start, end)."""
        first, last = (max(0, (second - self.start_s) // self.step_s) for second in (start_s, end_s))
        self.count[first:last] = 0
        for name in _FLOATS:
            getattr(self, name)[first:last] = np.nan
        for name in _INTS:
            getattr(self, name)[first:last] = 0

    def widened(self, width_s: int) -> Grid:
        """Return buckets of ``width_s``, a multiple of the step; the grid has to be full of them.

        Means and percentiles of parts are weighted by how many values they are of.
        """
        parts = width_s // self.step_s
        if parts == 1:
            return self
        wide = Grid(self.start_s, width_s, len(self) // parts, counter=self.counter)
        count = self.count.reshape(-1, parts)
        wide.count = count.sum(axis=1)
        wide.minimum = np.fmin.reduce(self.minimum.reshape(-1, parts), axis=1)
        wide.maximum = np.fmax.reduce(self.maximum.reshape(-1, parts), axis=1)
        wide.mean = _mean(self.mean.reshape(-1, parts), count)
        wide.p95 = _p95(self.p95.reshape(-1, parts), count)
        if self.counter:
            wide.increase = self.increase.reshape(-1, parts).sum(axis=1)
            # The last part of each that has a value; of those that have none, whatever stands there is 0.
            newest = parts - 1 - np.argmax(count[:, ::-1] > 0, axis=1)
            wide.last = self.last.reshape(-1, parts)[np.arange(len(wide)), newest]
        return wide


def _mean(means: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    known = ~np.isnan(means)
    weights = np.where(known, count, 0)
    total = weights.sum(axis=1)
    # Infinity times nothing would be NaN.
    sums = np.where(weights > 0, means, 0.0) * weights
    found = np.full(len(means), np.nan)
    np.divide(sums.sum(axis=1), total, out=found, where=total > 0)
    return found


def _p95(parts: NDArray[np.float64], count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weighted nearest rank of each row."""
    weights = np.where(np.isnan(parts), 0, count)
    order = np.argsort(parts, axis=1)  # NaN comes last
    reached = np.take_along_axis(weights, order, axis=1).cumsum(axis=1)
    total = reached[:, -1:]
    rank = -(-95 * total // 100)
    place = np.argmax(reached >= rank, axis=1)
    found = np.take_along_axis(parts, np.take_along_axis(order, place[:, None], axis=1), axis=1)[:, 0]
    return np.where(total[:, 0] > 0, found, np.nan)
