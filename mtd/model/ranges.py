"""Positions of a log as a few ranges, whatever order they came in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""First and last position; both belong to it."""


class SeqRanges:
    """A set of positions. Ranges that touch become one, so that a log without holes is one range."""

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in spans:
            self.add(first, last)

    def __iter__(self) -> Iterator[Span]:
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        """How many ranges there are."""
        return len(self._firsts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SeqRanges) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"SeqRanges({list(self)})"

    def add(self, first: int, last: int) -> None:
        """Add the positions from one to another."""
        if last < first:
            return
        # Those that overlap with it, or touch it.
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def remove(self, first: int, last: int) -> None:
        """Take the positions from one to another out."""
        low, high = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
        if last < first or low >= high:
            return
        kept = [(self._firsts[low], first - 1), (last + 1, self._lasts[high - 1])]
        kept = [span for span in kept if span[0] <= span[1]]
        self._firsts[low:high] = [start for start, _ in kept]
        self._lasts[low:high] = [end for _, end in kept]

    def update(self, spans: Iterable[Span]) -> None:
        """Add many."""
        for first, last in spans:
            self.add(first, last)

    def overlaps(self, first: int, last: int) -> bool:
        """Return whether any position from one to another is in it."""
        place = bisect_left(self._lasts, first)
        return place < len(self._firsts) and self._firsts[place] <= last

    def missing(self, first: int, last: int) -> list[Span]:
        """Return what isn't in it of the positions from one to another."""
        found: list[Span] = []
        place = bisect_left(self._lasts, first)
        while first <= last:
            known = place < len(self._firsts) and self._firsts[place] <= last
            end = self._firsts[place] - 1 if known else last
            if first <= end:
                found.append((first, end))
            first = self._lasts[place] + 1 if known else last + 1
            place += 1
        return found

    def next_missing(self, first: int) -> int:
        """Return the first position from one on that isn't in it."""
        place = bisect_left(self._lasts, first)
        if place < len(self._firsts) and self._firsts[place] <= first:
            return self._lasts[place] + 1
        return first
