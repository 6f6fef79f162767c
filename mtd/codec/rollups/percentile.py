"""The 95th percentile of buckets by nearest rank: a value that was there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# How much larger than its values a table of one row per bucket may be.
_PADDING = 4
# Of fewer values the largest is the 95th percentile.
ALL_BELOW = 20


def rank95(count: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which of so many values is their 95th percentile, from 1: 0.95 times their number, rounded up."""
    return (19 * count + 19) // 20


def percentile95(
    values: NDArray[np.float64], starts: NDArray[np.int64], count: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the percentile of each bucket, given where its values start and how many it has, at least one."""
    widest = int(count.max())
    if widest < ALL_BELOW:
        return np.maximum.reduceat(values, starts)
    rank = rank95(count) - 1
    if widest * len(count) == len(values):
        column = int(rank[0])
        return np.partition(values.reshape(len(count), widest), column, axis=1)[:, column]
    if widest * len(count) > _PADDING * len(values) + 1024:
        owner = np.repeat(np.arange(len(count)), count)
        return np.asarray(values[np.lexsort((values, owner))][starts + rank])
    table = np.full((len(count), widest), np.inf)
    table[np.arange(widest) < count[:, None]] = values
    table.sort(axis=1)
    found: NDArray[np.float64] = table[np.arange(len(count)), rank]
    return found
