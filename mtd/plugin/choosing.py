"""Which rows are read at the live tier. Pure: what is known of them goes in."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mtd.model.selection import Why


@dataclass(frozen=True, slots=True)
class Rules:
    """How many are chosen: ``places`` in all, ``top`` of them for their traffic alone.

    ``margin``: how much more traffic one must have than one that was chosen, to take its place; 0.25 is a quarter.
    """

    places: float
    top: int
    margin: float


def choose(
    rows: Sequence[str],
    reasons: Mapping[str, Why],
    traffic: Mapping[str, float],
    chosen: Collection[str],
    rules: Rules,
) -> dict[str, Why]:
    """Return which rows are chosen, and why, the most important first.

    What is pinned is chosen whatever the limits. Of rows with equal reasons the
    busier come first; those that are ``chosen`` now count as busier by the
    margin, so that rows with nearly the same traffic don't take turns.
    """

    def order(place: int) -> tuple[int, float, bool, int]:
        row = rows[place]
        there = row in chosen
        weight = traffic.get(row, 0.0) * (1.0 + rules.margin if there else 1.0)
        return reasons.get(row, Why.TRAFFIC).rank, -weight, not there, place

    found: dict[str, Why] = {}
    busy = 0
    for place in sorted(range(len(rows)), key=order):
        row = rows[place]
        why = reasons.get(row, Why.TRAFFIC)
        if why is not Why.PINNED and len(found) >= rules.places:
            break
        if why is Why.TRAFFIC:
            if busy >= rules.top:
                break
            busy += 1
        found[row] = why
    return found


Totals = Mapping[str, tuple[float, int]]
"""Bytes counted of a row so far, and when that was read: monotonic seconds."""


@dataclass(slots=True)
class TrafficWatch:
    """Compares the traffic of rows over a time, again and again.

    Before the first time is over the bytes that were ever counted have to do.
    """

    window_s: float
    traffic: dict[str, float] = field(default_factory=dict)
    """Bytes per second of each row, over the last time that is over."""
    _measured: bool = False
    _begin: dict[str, tuple[float, int]] = field(default_factory=dict)
    _began: float | None = None

    def begin(self, totals: Totals, now: float) -> None:
        """Begin a time."""
        self._begin, self._began = dict(totals), now

    def guess(self, totals: Totals, busiest: Collection[str] = ()) -> None:
        """Take all that was ever counted for the traffic, until more is known. ``busiest``: had most at last."""
        most = float(max((total for _, total in totals.values()), default=0))
        self.traffic = {
            row: total + most if row in busiest else float(total) for row, (_, total) in totals.items()
        }

    def take(self, totals: Totals, now: float) -> bool:
        """Return whether a time is over; then ``traffic`` is of that."""
        if self._began is None:
            self.begin(totals, now)
        if self._began is None or now - self._began < self.window_s:
            return False
        # What can't be told, because a counter was reset or a row is new, stays as it was.
        before = self.traffic if self._measured else {}
        self.traffic = {
            row: before.get(row, 0.0) if speed is None else speed
            for row, speed in ((row, self._speed(row, *read)) for row, read in totals.items())
        }
        self._measured = True
        self.begin(totals, now)
        return True

    def _speed(self, row: str, at: float, total: int) -> float | None:
        before = self._begin.get(row)
        if before is None or at <= before[0] or total < before[1]:
            return None
        return (total - before[1]) / (at - before[0])
