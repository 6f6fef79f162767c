"""When the polls of one hour were: kept once for all series of a poll group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.widths import narrowed

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """Poll n was ``first_ms + n * step_ms + jitter[n]`` milliseconds after the hour began.

    ``jitter`` is an int8, int16 or int32 array of length ``polls``; None: it is 0 everywhere.
    """

    polls: int
    first_ms: int
    step_ms: int
    jitter: NDArray[np.signedinteger] | None


def encode_axis(ms: NDArray[np.int64]) -> Axis:
    """Return the axis of moments in milliseconds after the hour began, ascending.

    The step is the middle one of all intervals: how often was polled, whatever
    outages there were. Three steps are a gap, over which no rate is told. A single
    poll tells no interval; an hour is taken, so that what is polled once an hour has
    rates from hour to hour.
    """
    polls = len(ms)
    if polls == 0:
        return Axis(0, 0, 0, None)
    if polls == 1:
        return Axis(1, int(ms[0]), HOUR_MS, None)
    middle = (polls - 1) // 2
    step = int(np.partition(np.diff(ms), middle)[middle])
    first, jitter = _against(ms, step)
    return Axis(polls, first, step, jitter if jitter.any() else None)


def decode_axis(axis: Axis) -> NDArray[np.int64]:
    """Return the moments in milliseconds after the hour began, one for each poll."""
    ms = np.arange(axis.polls, dtype=np.int64)
    ms *= axis.step_ms
    ms += axis.first_ms
    if axis.jitter is not None:
        ms += axis.jitter
    return ms


def _against(ms: NDArray[np.int64], step: int) -> tuple[int, NDArray[np.signedinteger]]:
    away = ms - np.arange(len(ms), dtype=np.int64) * step
    lowest, highest = int(away.min()), int(away.max())
    # The middle of what there is, so that the narrowest array holds both ends.
    first = lowest + (highest - lowest + 1) // 2
    return first, narrowed(away - first)
