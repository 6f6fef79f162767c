"""Blocks that SQL reads: plain arrays of the narrowest integers, offsets or deltas."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.block import CONSTANT, DELTAS, FLOATS, OFFSETS, Block
from mtd.codec.blocks.widths import type_of, width_of

# PostgreSQL compresses what makes a row longer than 2 KB, and keeps that if it saves a quarter.
_COMPRESSED_FROM = 1900
_WORTH = 0.75
_PART_BYTES = 1000
_NOISE = 0.95
_CLOSE = 0.8
_WINDOW_BITS = 12
_DELTA_WIDTH = 4


def encode(there: NDArray[np.int64], absent: NDArray[np.bool_] | None, divisor: int) -> Block:
    """Return the smallest readable block of the integers that are there."""
    points = len(there)
    if not points:
        return Block(OFFSETS, 0, divisor, 0, _placed(there.astype(np.int8), absent), absent)
    lowest, highest = int(there.min()), int(there.max())
    if lowest == highest and absent is None:
        return Block(CONSTANT, lowest, divisor, points, None, None)
    base, offsets = _offsets(there, lowest, highest)
    deltas = _deltas(there)
    if deltas is not None and _is_smaller(deltas, offsets):
        return Block(DELTAS, int(there[0]), divisor, points, _placed(deltas, absent), absent)
    return Block(OFFSETS, base, divisor, points, _placed(offsets, absent), absent)


def encode_floats(there: NDArray[np.float64], absent: NDArray[np.bool_] | None) -> Block:
    """Return the block of floats that no integers stand for."""
    values = there
    if absent is not None:
        values = np.zeros(len(absent), dtype=np.float64)
        values[~absent] = there
    return Block(FLOATS, 0, 1, len(there), values, absent)


def decode(block: Block, polls: int) -> NDArray[np.int64]:
    """Return the integers of a readable block, 0 where absent."""
    if block.form == CONSTANT:
        return np.full(polls, block.base, dtype=np.int64)
    assert block.values is not None
    if block.form == DELTAS:
        values = np.cumsum(block.values, dtype=np.int64)
    else:
        values = block.values.astype(np.int64)
    if block.base:
        values += block.base
    if block.absent is not None:
        values[block.absent] = 0
    return values


def _offsets(there: NDArray[np.int64], lowest: int, highest: int) -> tuple[int, NDArray[np.signedinteger]]:
    half = (highest - lowest + 1) // 2
    width = width_of(-half, highest - lowest - half)
    if width == 8:
        return 0, there
    base = lowest + half
    return base, (there - base).astype(type_of(width))


def _deltas(there: NDArray[np.int64]) -> NDArray[np.signedinteger] | None:
    """Return the changes from each value to the next, the first 0; None if one is beyond 32 bits."""
    changes = np.empty_like(there)
    changes[0] = 0
    np.subtract(there[1:], there[:-1], out=changes[1:])
    lowest, highest = int(changes.min()), int(changes.max())
    width = width_of(lowest, highest)
    if width > _DELTA_WIDTH:
        return None
    # A difference beyond 64 bits comes back small on the other side.
    if _overflowed(there, changes):
        return None
    return changes.astype(type_of(width))


def _overflowed(there: NDArray[np.int64], changes: NDArray[np.int64]) -> bool:
    if int(there.max()) - int(there.min()) < 1 << 63:
        return False
    return bool(((there[1:] >= there[:-1]) != (changes[1:] >= 0)).any())


def _is_smaller(one: NDArray[np.signedinteger], other: NDArray[np.signedinteger]) -> bool:
    """Tell whether an array takes less of the database's disk than another of as many elements."""
    if max(one.nbytes, other.nbytes) < _COMPRESSED_FROM:
        return one.itemsize < other.itemsize
    shares = [_repeating(part) / len(part) for part in (_part(one), _part(other))]
    if min(shares) > _NOISE:
        return one.itemsize < other.itemsize
    first, second = _stored(one, shares[0]), _stored(other, shares[1])
    if min(first, second) > _CLOSE * max(first, second):
        first, second = (_stored(each, _repeating(each.tobytes()) / each.nbytes) for each in (one, other))
    return (first, one.itemsize) < (second, other.itemsize)


def _stored(values: NDArray[np.signedinteger], share: float) -> float:
    """Return about how many bytes PostgreSQL stores for an array that it can compress to a share."""
    return values.nbytes * (share if share < _WORTH and values.nbytes >= _COMPRESSED_FROM else 1)


def _part(values: NDArray[np.signedinteger]) -> bytes:
    length, middle = _PART_BYTES // values.itemsize, len(values) // 2
    return values[:length].tobytes() + values[middle : middle + length].tobytes()


def _repeating(data: bytes) -> int:
    """Return about what pglz makes of it: matches of three bytes and more within 4 KB, no entropy code."""
    deflate = zlib.compressobj(1, zlib.DEFLATED, -_WINDOW_BITS, 9, zlib.Z_FIXED)
    return len(deflate.compress(data)) + len(deflate.flush())


def _placed(there: NDArray[np.signedinteger], absent: NDArray[np.bool_] | None) -> NDArray[np.signedinteger]:
    if absent is None:
        return there
    values = np.zeros(len(absent), dtype=there.dtype)
    values[~absent] = there
    return values
