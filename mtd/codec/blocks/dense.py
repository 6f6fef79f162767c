"""Blocks that only mtd reads: one byte string for the values and their absence."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.integers import Damaged, pack, unpack_from
from mtd.codec.blocks.planes import pack_bytes, unpack_bytes

_FLOATS = 1
_ABSENCE = 2

__all__ = ["Damaged", "pack_floats", "pack_integers", "unpack_floats", "unpack_integers"]


def pack_integers(there: NDArray[np.int64], absent: NDArray[np.bool_] | None) -> bytes:
    """Return integers, and at which polls they are not, as one byte string."""
    return _absence(absent, 0) + pack(there)


def pack_floats(there: NDArray[np.float64], absent: NDArray[np.bool_] | None) -> bytes:
    """Return floats, bit by bit, and at which polls they are not, as one byte string."""
    return _absence(absent, _FLOATS) + pack(there.view(np.int64))


def unpack_integers(packed: bytes, polls: int) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Return the integers that are there, and which aren't (None: all are).

    Raises:
        Damaged: The bytes are none of ours, or of floats.
    """
    values, absent, of_floats = _unpack(packed, polls)
    if of_floats:
        raise Damaged("floats instead of integers")
    return values, absent


def unpack_floats(
    packed: bytes, polls: int, divisor: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
    """Return the floats that are there, be they packed as such or as integers, and which aren't.

    Raises:
        Damaged: The bytes are none of ours.
    """
    values, absent, of_floats = _unpack(packed, polls)
    return (values.view(np.float64) if of_floats else values / divisor), absent


def _unpack(packed: bytes, polls: int) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None, bool]:
    if not packed or packed[0] > _FLOATS + _ABSENCE:
        raise Damaged("no dense block")
    absent, at, points = None, 1, polls
    if packed[0] & _ABSENCE:
        bitmap, at = unpack_bytes(packed, at, (polls + 7) // 8)
        absent = np.unpackbits(bitmap, count=polls).view(np.bool_)
        points = polls - int(np.count_nonzero(absent))
    values, at = unpack_from(packed, at, points)
    if at != len(packed):
        raise Damaged("a dense block is longer than its polls")
    return values, absent, bool(packed[0] & _FLOATS)


def _absence(absent: NDArray[np.bool_] | None, flags: int) -> bytes:
    if absent is None:
        return bytes((flags,))
    return bytes((flags | _ABSENCE,)) + pack_bytes(np.packbits(absent))
