"""What a counter grew by in the steps of a time: of rollups where there are some, else between polls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mtd.model.rates import GAP_INTERVALS
from mtd.queries.resolution import SECOND_US


@dataclass(frozen=True)
class Steps:
    """The steps of ``step_s`` seconds that [start, end) touches."""

    start_us: int
    end_us: int
    step_s: int

    @property
    def step_us(self) -> int:
        """Their length."""
        return self.step_s * SECOND_US

    @property
    def first_us(self) -> int:
        """When the first begins."""
        return self.start_us // self.step_us * self.step_us

    def __len__(self) -> int:
        return max(0, -(-(self.end_us - self.first_us) // self.step_us))

    @cached_property
    def seconds(self) -> NDArray[np.float64]:
        """How much of each is within the time."""
        edges = self.first_us + np.arange(len(self) + 1) * self.step_us
        return np.diff(np.clip(edges, self.start_us, self.end_us).astype(np.float64)) / 1e6


class Growth:
    """Growth of one counter in each step, and the seconds over which it is known."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._grown = np.zeros(len(steps))
        self._seconds = np.zeros(len(steps))
        self._rolled = np.zeros(len(steps), dtype=np.bool_)

    def add_means(self, start_s: int, means: NDArray[np.float64], scale: float) -> None:
        """Take mean rates of consecutive steps, NaN where there is none."""
        steps = self._steps
        first = (start_s * SECOND_US - steps.first_us) // steps.step_us
        begin, end = max(first, 0), min(first + len(means), len(steps))
        if begin >= end:
            return
        found = means[begin - first : end - first]
        missing = np.isnan(found)
        if not missing.any():
            self._take(slice(begin, end), found * scale, steps.seconds[begin:end])
            return
        known = np.flatnonzero(~missing)
        if len(known):
            # Of a router that is polled less often than once in a step, one step tells of those before it.
            every = max(1, int(np.median(np.diff(known)))) if len(known) > 1 else 1
            self._take(known + begin, found[known] * scale, steps.seconds[known + begin] * every)

    def _take(
        self, there: slice | NDArray[np.intp], means: NDArray[np.float64], seconds: NDArray[np.float64]
    ) -> None:
        self._grown[there] += means * seconds
        self._seconds[there] += seconds
        self._rolled[there] = True

    def add_points(self, us: NDArray[np.int64], counters: NDArray[np.int64], scale: float) -> None:
        """Take the counter at some moments, ascending: of each step at least the first that there is.

        The growth between two belongs to the step in which it begins, unless that is
        known already; what a step holds of the time before the start, or behind
        the end, doesn't count. A counter that fell was reset.
        """
        steps = self._steps
        if len(us) < 2:
            return
        elapsed, grown = np.diff(us), np.diff(counters)
        begin = np.maximum(us[:-1], steps.start_us)
        within = np.minimum(us[1:], steps.end_us) - begin
        place = np.clip((begin - steps.first_us) // steps.step_us, 0, len(steps) - 1)
        good = (within > 0) & (elapsed <= self._longest_us(elapsed)) & (grown >= 0) & ~self._rolled[place]
        elapsed, grown, within, place = elapsed[good], grown[good], within[good], place[good]
        np.add.at(self._grown, place, scale * grown * (within / elapsed))
        np.add.at(self._seconds, place, within / 1e6)

    def _longest_us(self, elapsed: NDArray[np.int64]) -> float:
        """Return over how long growth is told: beyond it there was an outage."""
        usual = float(np.median(elapsed))
        # Who is polled in every step shows the distance of steps, not that of polls.
        slow = usual > 1.5 * self._steps.step_us
        return max(2 * self._steps.step_us, GAP_INTERVALS * usual if slow else 0)

    def mean(self) -> float | None:
        """Return the mean by time; None if nothing is known."""
        seconds = self._seconds.sum()
        return float(self._grown.sum() / seconds) if seconds else None

    def parts(self) -> NDArray[np.float64]:
        """Return the mean of each step of which half is known at least, NaN of the others."""
        enough = self._seconds >= self._steps.step_s / 2
        found = np.full(len(self._seconds), np.nan)
        np.divide(self._grown, self._seconds, out=found, where=enough)
        return found


def mean_and_most(directions: Sequence[Growth], *, together: bool) -> tuple[float, float] | None:
    """Return the mean, and the largest part: of the sum of directions, or of the one that has the larger.

    None if nothing is known. What is shorter than the half of a step has no part but itself.
    """
    known = [(mean, one) for one in directions if (mean := one.mean()) is not None]
    if not known:
        return None
    parts = np.array([one.parts() for _, one in known])
    there = ~np.isnan(parts)
    means = [mean for mean, _ in known]
    mean = sum(means) if together else max(means)
    if not there.any():
        return mean, mean
    if not together:
        return mean, float(parts[there].max())
    return mean, float(np.where(there, parts, 0.0).sum(axis=0)[there.any(axis=0)].max())
