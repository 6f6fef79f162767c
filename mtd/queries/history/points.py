"""Points of one series, put together of pieces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mtd.codec.rollups import Before, derive_rates, following

Times: TypeAlias = NDArray[np.int64]
Values: TypeAlias = NDArray[np.int64] | NDArray[np.float64]
Points: TypeAlias = tuple[Times, Values]
"""Times in microseconds, ascending, and the values at them."""


def merged(stored: Sequence[Points], framed: Sequence[Points], empty: Points) -> Points:
    """Return pieces of blocks and of frames as one, in order. What was stored twice for a millisecond is one point."""
    pieces = [piece for piece in (*stored, *framed) if len(piece[0])]
    if not pieces:
        return empty
    if len(pieces) == 1 and not framed:
        return pieces[0]
    us = np.concatenate([us for us, _ in pieces])
    values = np.concatenate([values for _, values in pieces])
    follow = all(one[-1] < other[0] for (one, _), (other, _) in pairwise(pieces))
    # In a block nothing is twice; in frames it may be, and between both.
    if follow and not any((np.diff(us) < 1000).any() for us, _ in framed):
        return us, values
    if not follow:
        order = np.argsort(us, kind="stable")
        us, values = us[order], values[order]
    # Frames keep microseconds, blocks milliseconds: a frame that came again is next to what it was.
    ms, bits = us // 1000, values.view(np.int64)
    again = np.zeros(len(us), dtype=np.bool_)
    again[1:] = (ms[1:] == ms[:-1]) & (bits[1:] == bits[:-1])
    again[1:] &= (us[1:] == us[:-1]) | (us[:-1] == ms[:-1] * 1000)
    return us[~again], values[~again]


def cut(points: Points, start_us: int, end_us: int) -> Points:
    """Return the points of [start, end)."""
    us, values = points
    if not len(us) or (us[0] >= start_us and us[-1] < end_us):
        return points
    first, last = np.searchsorted(us, (start_us, end_us))
    return us[first:last], values[first:last]


def rates(points: Points, scale: float, max_gap_ms: int, before: Before, withheld: Times | None) -> Points:
    """Return the rates of a counter's points; there is none where the counter doesn't allow one, or at a withheld time."""
    us, values = points
    ms = us // 1000
    found = derive_rates(
        ms, values.astype(np.int64, copy=False), scale, before, max_gap_ms, among(ms, withheld)
    )
    there = ~np.isnan(found)
    return (us, found) if there.all() else (us[there], found[there])


def among(ms: Times, withheld: Times | None) -> NDArray[np.bool_] | None:
    """Return which of these milliseconds are among others; None: there are no others."""
    return None if withheld is None else np.isin(ms, withheld)


def last_of(before: Before, points: Points) -> Before:
    """Return what is before the points that follow these of a counter, if something was before them."""
    us, values = points
    return following(before, us[-2:] // 1000, values[-2:].astype(np.int64, copy=False))
