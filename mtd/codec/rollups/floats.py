"""Floats as integers in the same order, so that near floats differ little."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.decimals import as_integers

DOUBLE, SINGLE = 0, 1  # scales above are divisors of decimals plus one
_SIGN32 = 31
_SIGN64 = 63


def divisor_of(scale: int) -> int | None:
    """Return by what integers of a scale are divided, if they are decimals."""
    return scale - 1 if scale > SINGLE else None


def common_scale(values: NDArray[np.float64], *, prefer_single: bool) -> tuple[int, NDArray[np.int64]]:
    """Return the scale that suits values, none of them NaN, and the values as its integers."""
    if prefer_single:
        singles = _singles(values)
        if singles is not None:
            return SINGLE, singles
    found = as_integers(values)
    if found is not None:
        integers, divisor = found
        return divisor + 1, integers
    singles = _singles(values)
    return (DOUBLE, ordered(values)) if singles is None else (SINGLE, singles)


def _singles(values: NDArray[np.float64]) -> NDArray[np.int64] | None:
    with np.errstate(over="ignore"):
        singles = values.astype(np.float32)
    if (singles.astype(np.float64).view(np.int64) != values.view(np.int64)).any():
        return None
    return ordered(singles)


def ordered(values: NDArray[np.float64] | NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the bits of floats as integers in the order of the floats."""
    if values.dtype == np.float32:
        short = values.view(np.int32)
        return (short ^ ((short >> _SIGN32) & np.int32(0x7FFFFFFF))).astype(np.int64)
    bits = values.view(np.int64)
    return bits ^ ((bits >> _SIGN64) & np.int64(0x7FFFFFFFFFFFFFFF))


def restored(integers: NDArray[np.int64], scale: int) -> NDArray[np.float64]:
    """Return the floats of integers in a scale."""
    divisor = divisor_of(scale)
    if divisor is not None:
        return integers / divisor
    if scale == SINGLE:
        short = integers.astype(np.int32)
        short ^= (short >> _SIGN32) & np.int32(0x7FFFFFFF)
        return short.view(np.float32).astype(np.float64)
    bits = integers ^ ((integers >> _SIGN64) & np.int64(0x7FFFFFFFFFFFFFFF))
    return bits.view(np.float64)
