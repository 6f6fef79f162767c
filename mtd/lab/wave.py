"""Smooth load curves and their exact integrals, in integers only.

A rate swings around its mean like a sine. The sine is a rational
approximation in integers and its integral a sum of integers, so that every
machine computes the same counters, and a counter never steps back by a
rounding error.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

AMPLITUDE = 256
PERIODS_TICKS = (60_000, 120_000, 300_000)
_MASK64 = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Wave:
    """One period of a wave: its height at each tick, and the sum before it.

    ``height`` is within -AMPLITUDE..AMPLITUDE; ``integral[n]`` is the sum of
    the heights of ticks 0..n-1, and the whole period sums to nought.
    """

    period: int
    height: Ints
    integral: Ints


@cache
def wave(period: int) -> Wave:
    """Return the wave of a period, an even number of ticks."""
    half = period // 2
    x = np.arange(half, dtype=np.int64)
    arch = x * (half - x)
    # Bhaskara's sine: within 0.2 % of the real one, and rational.
    positive = AMPLITUDE * 16 * arch // (5 * half * half - 4 * arch)
    height = np.concatenate([positive, -positive])
    integral = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(height)[:-1]])
    return Wave(period, height, integral)


def mix(*keys: int) -> int:
    """Return 64 well mixed bits of some integers (splitmix64 steps)."""
    state = 0x9E3779B97F4A7C15
    for key in keys:
        state = (state ^ (key & _MASK64)) + 0x9E3779B97F4A7C15 & _MASK64
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & _MASK64
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & _MASK64
        state ^= state >> 31
    return state


def text_key(text: str) -> int:
    """Return a text as a key for ``mix``."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


class Dice:
    """A stream of numbers that depends on nothing but its keys."""

    def __init__(self, *keys: int) -> None:
        self._keys = keys
        self._count = 0

    def between(self, low: int, high: int) -> int:
        """Return an integer within low..high, both included."""
        self._count += 1
        return low + mix(*self._keys, self._count) % (high - low + 1)
