"""Few buckets to bytes and back, quickly: rows of an hour that soon become part of a day.

A table of all columns, each eight bytes, its bytes of equal weight side by side.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.planes import pack_bytes, unpack_bytes
from mtd.codec.rollups.buckets import Buckets

MOST: Final = 100
_GAUGE_COLUMNS, _COUNTER_COLUMNS = 5, 7


def pack_few(buckets: Buckets) -> bytes:
    """Return the columns of buckets as bytes; what else they are has to be known to read them."""
    counter = buckets.increase is not None and buckets.last is not None
    table = np.empty((_COUNTER_COLUMNS if counter else _GAUGE_COLUMNS, len(buckets)), dtype=np.int64)
    floats = table.view(np.float64)
    table[0] = buckets.count
    floats[1], floats[2], floats[3], floats[4] = buckets.maximum, buckets.p95, buckets.minimum, buckets.mean
    table[2] ^= table[1]
    if buckets.increase is not None and buckets.last is not None:
        table[5] = buckets.increase
        # What the last counter is beyond the one before and the increase: nothing, as a rule.
        table[6] = buckets.last
        table[6, 1:] -= buckets.last[:-1]
        table[6] -= table[5]
    return pack_bytes(table.view(np.uint8).reshape(-1, 8).T.reshape(-1))


def unpack_few(
    data: bytes, at: int, length: int, *, counter: bool
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.int64]], int]:
    """Return minimum, maximum, mean and p95; count, and of counters increase and last; and the place after them.

    Raises:
        Damaged: There are no such columns.
    """
    width = _COUNTER_COLUMNS if counter else _GAUGE_COLUMNS
    packed, at = unpack_bytes(data, at, width * length * 8)
    table = np.ascontiguousarray(packed.reshape(8, -1).T).view(np.int64).reshape(width, length)
    table[2] ^= table[1]
    highest, p95, lowest, mean = table[1:5].view(np.float64)
    integers = [table[0]]
    if counter:
        integers += [table[5], np.cumsum(table[5] + table[6])]
    return [lowest, highest, mean, p95], integers, at
