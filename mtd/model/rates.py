"""Rates from counters: law 5, and nothing else.

Pure. Time is the collector's monotonic clock, in seconds; a step of the wall
clock can't reach it. One ``RateBank`` serves all counters that one reply of one
device brings, so that they share their times; 270 rates take about 7
microseconds with NumPy (20 as a loop in Python).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GAP_INTERVALS = 3.0
LINK_MARGIN = 1.05
# An interval this much shorter or longer than the normal one was polled at an odd moment.
EVEN_INTERVALS = (0.5, 1.5)


@dataclass(slots=True)
class Rates:
    """Rates over one interval, in the order of the counters; NaN: none can be told.

    ``doubtful`` are positions of low confidence; ``resets`` counts counters that
    fell (reset or wrapped), ``discarded`` rates that no link could carry.
    ``gap`` tells that the last poll was too long ago for any rate.
    """

    values: NDArray[np.float64]
    doubtful: Sequence[int] = ()
    resets: int = 0
    discarded: int = 0
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Handed:
    """A counter as another bank read it last, and before that."""

    at: float
    value: int
    interval_s: float
    earlier: Handed | None = None

    def before(self, at: float) -> Handed:
        """Return the reading that a rate at a moment is told from: over an instant none can be told well."""
        instant = at - self.at < EVEN_INTERVALS[0] * self.interval_s
        return self.earlier if instant and self.earlier is not None else self


@dataclass(slots=True)
class _Reading:
    at: float
    values: NDArray[np.int64]
    known: NDArray[np.bool_] | None  # None: all


class RateBank:
    """Remembers the last counters of one device and derives rates from the next.

    The reading before the last is kept as well: a rate above the link's speed is
    judged by the average over two intervals.

    A counter that moves to another bank, which is read at another pace, takes
    its last reading along if the two are twins: no interval is lost, and none is told twice.
    """

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self._keys: tuple[Hashable, ...] = ()
        self._scales: NDArray[np.float64] = np.empty(0)
        self._limits: NDArray[np.float64] = np.empty(0)
        self._limited = False
        self._last: _Reading | None = None
        self._before: _Reading | None = None
        self._late = False
        self._twin: RateBank | None = None
        self._left: dict[
            Hashable, Handed
        ] = {}  # counters that aren't read here any more; bound: their number
        self._handed: dict[int, Handed] = {}  # by place: what the twin knew of counters that are new here

    def join(self, twin: RateBank) -> None:
        """Hand counters to each other from now on."""
        self._twin, twin._twin = twin, self

    def arrange(self, keys: Sequence[Hashable], scales: Sequence[float]) -> None:
        """Set the order of the counters. Baselines stay with their keys; limits are forgotten."""
        places = {key: place for place, key in enumerate(self._keys)}
        origin = np.array([places.get(key, -1) for key in keys], dtype=np.int64)
        if self._twin is not None:
            self._exchange(self._twin, places, keys)
        self._last = _rearranged(self._last, origin)
        self._before = _rearranged(self._before, origin)
        self._keys = tuple(keys)
        self._scales = np.array(scales, dtype=np.float64)
        self._limits = np.full(len(keys), math.inf)
        self._limited = False

    def set_limits(self, link_speeds: Sequence[float]) -> None:
        """Set what each rate can't exceed, in the rate's unit; infinity where it isn't known."""
        self._limits = np.array(link_speeds, dtype=np.float64) * LINK_MARGIN
        self._limited = bool(np.isfinite(self._limits).any())

    def reset_baseline(self) -> None:
        """Forget all counters: the router rebooted."""
        self._last = self._before = None
        self._late = False
        self._left.clear()
        self._handed.clear()

    def update(
        self,
        at: float,
        values: NDArray[np.int64],
        present: NDArray[np.bool_] | None = None,
        *,
        late: bool = False,
    ) -> Rates:
        """Take the counters read at a moment; return their rates since the last.

        ``present`` is None if all counters are there. ``late``: the moment isn't
        certain, so the rates up to it and from it are of low confidence.
        """
        result = self._compared(at, values, present, late=late)
        if self._handed:
            self._take_over(result, at, values, present, late=late)
        return result

    def _compared(
        self, at: float, values: NDArray[np.int64], present: NDArray[np.bool_] | None, *, late: bool
    ) -> Rates:
        last, before, was_late = self._last, self._before, self._late
        if last is not None and at <= last.at:
            # The same moment, or an answer that was overtaken: nothing can be told from it.
            return Rates(np.full(len(values), math.nan))
        self._last = _Reading(at, values, present)
        self._before = None
        self._late = late
        if last is None:
            return Rates(np.full(len(values), math.nan))
        elapsed = at - last.at
        if elapsed > GAP_INTERVALS * self.interval_s:
            return Rates(np.full(len(values), math.nan), gap=True)
        self._before = last
        delta = values - last.values
        result = Rates(delta * (self._scales / elapsed))
        if present is not None or last.known is not None or (len(delta) and delta.min() < 0):
            known = _both(present, last.known, len(values))
            fell = known & (delta < 0)
            result.resets = int(np.count_nonzero(fell))
            result.values[~known | fell] = math.nan
        shortest, longest = EVEN_INTERVALS
        uneven = not shortest * self.interval_s <= elapsed <= longest * self.interval_s
        if self._limited:
            self._judge(result, at, values, before)
        if late or was_late or uneven:
            result.doubtful = range(len(values))
        return result

    def _exchange(self, twin: RateBank, places: Mapping[Hashable, int], keys: Sequence[Hashable]) -> None:
        """Keep the last readings of counters that go, and take those of counters that come."""
        staying = set(keys)
        left, now = self._left, self._last.at if self._last is not None else -math.inf
        for key, place in places.items():
            reading = None if key in staying else self._reading(place)
            if reading is not None:
                left[key] = reading
        longest = GAP_INTERVALS * max(self.interval_s, twin.interval_s)
        for key in [key for key, reading in left.items() if now - reading.at > longest]:
            del left[key]
        there = {key: place for place, key in enumerate(twin._keys)}
        self._handed = {}
        for place, key in enumerate(keys):
            if key in places:
                continue
            known = [left.pop(key, None), twin._left.get(key)]
            known.append(twin._reading(there[key]) if key in there else None)
            newest = max(filter(None, known), key=lambda reading: reading.at, default=None)
            if newest is not None:
                self._handed[place] = newest

    def _reading(self, place: int) -> Handed | None:
        earlier = None if self._before is None else self._read(self._before, place, None)
        return None if self._last is None or self._late else self._read(self._last, place, earlier)

    def _read(self, reading: _Reading, place: int, earlier: Handed | None) -> Handed | None:
        if reading.known is not None and not reading.known[place]:
            return None
        return Handed(reading.at, int(reading.values[place]), self.interval_s, earlier)

    def _take_over(
        self,
        result: Rates,
        at: float,
        values: NDArray[np.int64],
        present: NDArray[np.bool_] | None,
        *,
        late: bool,
    ) -> None:
        """Tell the rates of counters that the twin read before: over the time since then."""
        doubtful = set(result.doubtful)
        for place, handed in self._handed.items():
            before = handed.before(at)
            paces = (before.interval_s, self.interval_s)
            elapsed, grown = at - before.at, int(values[place]) - before.value
            there = present is None or bool(present[place])
            if not there or not 0 < elapsed <= GAP_INTERVALS * max(paces):
                continue
            doubtful.discard(place)
            if grown < 0:
                result.resets += 1
                continue
            rate = grown * float(self._scales[place]) / elapsed
            result.values[place] = rate
            shortest, longest = EVEN_INTERVALS
            even = shortest * min(paces) <= elapsed <= longest * max(paces)
            if late or not even or rate > self._limits[place]:
                doubtful.add(place)
        result.doubtful = sorted(doubtful)
        self._handed = {}

    def _judge(self, result: Rates, at: float, values: NDArray[np.int64], before: _Reading | None) -> None:
        """Doubt rates above the link's speed; discard those that two intervals don't explain."""
        over = result.values > self._limits
        if not over.any():
            return
        last = self._before
        impossible = np.zeros(len(values), dtype=np.bool_)
        if before is not None and last is not None:
            # The average tells something only where nothing was reset in between.
            steady = _both(before.known, last.known, len(values)) & (last.values >= before.values)
            average = (values - before.values) * (self._scales / (at - before.at))
            impossible = over & steady & (average > self._limits)
        result.values[impossible] = math.nan
        result.discarded = int(np.count_nonzero(impossible))
        result.doubtful = np.flatnonzero(over & ~impossible).tolist()


def _both(one: NDArray[np.bool_] | None, other: NDArray[np.bool_] | None, count: int) -> NDArray[np.bool_]:
    if one is None:
        return np.ones(count, dtype=np.bool_) if other is None else other
    return one if other is None else one & other


def _rearranged(reading: _Reading | None, origin: NDArray[np.int64]) -> _Reading | None:
    if reading is None:
        return None
    found = origin >= 0
    if not len(reading.values):
        return _Reading(
            reading.at, np.zeros(len(origin), dtype=np.int64), np.zeros(len(origin), dtype=np.bool_)
        )
    values = np.where(found, reading.values[origin], 0)
    known = found if reading.known is None else found & reading.known[origin]
    return _Reading(reading.at, values, None if known.all() else known)
