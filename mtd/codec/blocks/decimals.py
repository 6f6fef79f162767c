"""Floats that are really decimals, as routers write them: 36.5 is 365 tenths.

Exact or not at all: the quotient has to give the very same bits. Integers stay
below 2^53, so that SQL and NumPy divide the same doubles.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

_DIVISORS = tuple(10**places for places in range(7))
_EXACT = float(1 << 53)
_MOST = (1 << 31) - 1  # divisors are int4
_SAMPLE = 8


def as_integers(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], int] | None:
    """Return integers and what to divide them by to get these values bit by bit; None if there are none."""
    divisor = 1
    if len(values) > _SAMPLE:
        # Most of what isn't decimal is told from a few values.
        sample = values[:: len(values) // _SAMPLE]
        for divisor in _DIVISORS:
            if _scaled(sample, divisor) is not None:
                break
        else:
            return None
    for candidate in _DIVISORS[_DIVISORS.index(divisor) :]:
        integers = _scaled(values, candidate)
        if integers is not None:
            return integers, candidate
    return None


def as_quotient(values: NDArray[np.float64]) -> tuple[int, int] | None:
    """Return two integers whose quotient is each of these equal values; None if they differ, or there are none."""
    if not len(values) or not np.isfinite(values[0]) or (_bits(values) != _bits(values[:1])).any():
        return None
    value = float(values[0])
    fraction = Fraction(value).limit_denominator(_MOST)
    near, divisor = fraction.numerator, fraction.denominator
    if abs(near) > _EXACT or _scaled(values[:1], divisor) is None:
        return None
    return near, divisor


def _scaled(values: NDArray[np.float64], divisor: int) -> NDArray[np.int64] | None:
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.rint(values * divisor) if divisor != 1 else np.rint(values)
        if not (np.abs(near) <= _EXACT).all():
            return None
        integers = near.astype(np.int64)
        # From the integers, which have no -0.0.
        again = integers.astype(np.float64)
        if divisor != 1:
            again /= divisor
    return integers if (_bits(again) == _bits(values)).all() else None


def _bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return values.view(np.int64)
