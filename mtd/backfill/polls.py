"""When a device was polled: once a second, a little late, and sometimes not at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

HOUR_S = 3600
SECOND_US = 1_000_000
HOUR_US = HOUR_S * SECOND_US

_LATE_US = 1200.0  # a poll is late by this much in the mean: the loop was busy, the router slow
_VERY_LATE = 0.004  # share of polls that are late by tens to hundreds of milliseconds
_VERY_LATE_US = (20_000, 250_000)
_MISSED = 1 / 2500
_OUTAGES_PER_HOUR = 1 / 480
_OUTAGE_S = (120, 2400)
_REBOOTS_PER_HOUR = 1 / 720
_REBOOT_S = (70, 160)


@dataclass(frozen=True, slots=True)
class Hour:
    """The polls that an hour should have had, a second apart.

    ``us`` since the epoch. ``there``: the polls that happened. ``booted``: the
    position at which the router came up again, None if it never went.
    """

    us: Ints
    there: Mask
    booted: int | None

    @property
    def start_us(self) -> int:
        """The hour's beginning."""
        return int(self.us[0]) // HOUR_US * HOUR_US


def polls_of(hour: int, phase_us: int, dice: np.random.Generator) -> Hour:
    """Return the polls of an hour, counted since the epoch. ``phase_us`` is where in a second it is polled."""
    late = dice.exponential(_LATE_US, HOUR_S)
    very = np.flatnonzero(dice.random(HOUR_S, dtype=np.float32) < _VERY_LATE)
    late[very] += dice.uniform(*_VERY_LATE_US, len(very))
    us = hour * HOUR_US + phase_us + np.arange(HOUR_S) * SECOND_US
    us += np.minimum(late, _VERY_LATE_US[1] * 2).astype(np.int64)
    us[-1] = min(us[-1], (hour + 1) * HOUR_US - 1)
    there: Mask = dice.random(HOUR_S, dtype=np.float32) >= _MISSED
    chances = dice.random(2)
    if chances[0] < _OUTAGES_PER_HOUR:
        _cut(there, *_OUTAGE_S, dice)  # the way to the router is gone: it goes on counting
    booted = None
    if chances[1] < _REBOOTS_PER_HOUR:
        booted = _cut(there, *_REBOOT_S, dice)
    return Hour(us, there, booted)


def _cut(there: Mask, shortest_s: int, longest_s: int, dice: np.random.Generator) -> int:
    """Take polls away; return the position behind them."""
    length = int(dice.integers(shortest_s, longest_s))
    begin = int(dice.integers(0, HOUR_S - length))
    there[begin : begin + length] = False
    return begin + length
