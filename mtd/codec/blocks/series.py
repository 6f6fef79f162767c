"""Counters and gauges to blocks, and back."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks import dense as packing
from mtd.codec.blocks import readable
from mtd.codec.blocks.block import CONSTANT, DENSE, FLOATS, Block
from mtd.codec.blocks.decimals import as_integers, as_quotient

_T = TypeVar("_T", np.int64, np.float64)


def encode_counters(
    values: NDArray[np.int64], absent: NDArray[np.bool_] | None, *, dense: bool = False
) -> Block:
    """Return the block of a counter, any 64-bit integers; what stands in absent places doesn't matter."""
    there, absent = _split(values, absent)
    if dense:
        packed = packing.pack_integers(there, absent)
        return Block(DENSE, 0, 1, len(there), None, None, packed)
    return readable.encode(there, absent, 1)


def encode_gauges(values: NDArray[np.float64], *, dense: bool = False) -> Block:
    """Return the block of a gauge; NaN is absence, every other bit pattern is kept."""
    there, absent = _split(values, np.isnan(values))
    found = as_integers(there)
    if found is not None:
        integers, divisor = found
        if dense:
            packed = packing.pack_integers(integers, absent)
            return Block(DENSE, 0, divisor, len(there), None, None, packed)
        return readable.encode(integers, absent, divisor)
    if dense:
        return Block(DENSE, 0, 1, len(there), None, None, packing.pack_floats(there, absent))
    quotient = as_quotient(there) if absent is None else None
    if quotient is not None:
        return Block(CONSTANT, quotient[0], quotient[1], len(there), None, None)
    return readable.encode_floats(there, absent)


def decode_counters(block: Block, polls: int) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Return the values of a counter, 0 where absent, and which are absent (None: none)."""
    if block.form == DENSE:
        there, absent = packing.unpack_integers(block.packed, polls)
        return _spread(there, absent, polls, 0), absent
    return readable.decode(block, polls), block.absent


def decode_gauges(block: Block, polls: int) -> NDArray[np.float64]:
    """Return the values of a gauge, NaN where absent."""
    if block.form == FLOATS:
        assert block.values is not None
        values = block.values.astype(np.float64)
    elif block.form == DENSE:
        there, absent = packing.unpack_floats(block.packed, polls, block.divisor)
        return _spread(there, absent, polls, np.nan)
    else:
        values = readable.decode(block, polls) / block.divisor
    if block.absent is not None:
        values[block.absent] = np.nan
    return values


def _split(
    values: NDArray[_T], absent: NDArray[np.bool_] | None
) -> tuple[NDArray[_T], NDArray[np.bool_] | None]:
    """Return the values that are there, and which aren't: None if all are."""
    if absent is None or not absent.any():
        return np.ascontiguousarray(values), None
    return values[~absent], absent


def _spread(there: NDArray[_T], absent: NDArray[np.bool_] | None, polls: int, empty: float) -> NDArray[_T]:
    """Return the values at the polls that have one."""
    if absent is None:
        return there
    values = np.full(polls, empty, dtype=there.dtype)
    values[~absent] = there
    return values
