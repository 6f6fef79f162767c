"""Columns that ``array_agg`` gathered: arrays without NULLs, of types that are never stored in arrays here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtd.storage.cold.connection import from_postgres_us

_HEADER = 20  # dimensions, flag of NULLs, type of the elements, length, lower bound
_BOOL, _INT8, _FLOAT4, _FLOAT8, _TIMESTAMPTZ = 16, 20, 700, 701, 1184
_TYPES = {_BOOL: "i1", _INT8: ">i8", _FLOAT4: ">f4", _FLOAT8: ">f8", _TIMESTAMPTZ: ">i8"}


def column_of(data: bytes | None, count: int) -> NDArray[Any]:
    """Return the elements of an array, in the machine's byte order.

    Raises ValueError if there is another number of elements, or one is NULL.
    """
    if data is None:
        raise ValueError("a column is missing")
    kind = _TYPES[int.from_bytes(data[8:12], "big")]
    element = np.dtype([("length", ">i4"), ("value", kind)])
    if len(data) != _HEADER + count * element.itemsize:
        raise ValueError(f"a column of {len(data)} bytes where {count} elements were expected")
    values = np.frombuffer(data, element, offset=_HEADER)["value"]
    return values.astype(values.dtype.newbyteorder("="))


def times_of(data: bytes) -> NDArray[np.int64]:
    """Return a column of times as microseconds since the epoch."""
    us: NDArray[np.int64] = column_of(data, int.from_bytes(data[12:16], "big"))
    us += from_postgres_us(0)
    return us
