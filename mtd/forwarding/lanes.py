"""Which events of a log go where, and which may be forgotten: intervals of positions. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from mtd.core.errors import Bug
from mtd.model.ranges import SeqRanges, Span

_MOST_RANGES = 500
"""Ranges that the hub may hold of this log before the live lane leaves no more gaps: it takes a thousand."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A batch that isn't acknowledged yet."""

    first: int
    last: int
    size: int


@dataclass(slots=True)
class Lane:
    """Where one lane stands: ``next`` is sent next, ``under_way`` isn't acknowledged, in the order of the log.

    ``expected``: the hub goes on here, or behind what it has of what follows.
    """

    next: int = 1
    under_way: deque[Sent] = field(default_factory=deque)
    expected: int = 1

    @property
    def bytes(self) -> int:
        """Bytes that are under way."""
        return sum(one.size for one in self.under_way)

    def sent(self, batch: Sent) -> None:
        """A batch is on its way."""
        if batch.first < self.next or batch.last < batch.first:
            raise Bug(f"events {batch.first} to {batch.last} are sent, but {self.next} is next")
        self.under_way.append(batch)
        self.next = self.expected = batch.last + 1

    def rewind(self, position: int) -> None:
        """The hub goes on at a position: batches behind it that are under way are lost."""
        kept = [one for one in self.under_way if one.first <= position]
        self.under_way = deque(kept)
        self.next = self.expected = position


class LaneBook:
    """What of a log the hub has, and what each lane has to send.

    The log holds ``first`` to ``last``. ``stored`` is durable in the hub's log, ``projected`` in its database;
    ``gone`` can't be sent, as this log has lost it. The live lane sends from ``live_from`` on, the backfill what is
    missing before that, the oldest first.
    """

    def __init__(self, first: int = 1, last: int = 0) -> None:
        self.first = first
        self.last = last
        self.stored = SeqRanges()
        self.projected = SeqRanges()
        self.gone = SeqRanges()
        self.live_from = last + 1
        self.live = Lane(self.live_from)
        self.backfill = Lane(first)

    # -- what the log and the hub say ------------------------------------------------

    def grown(self, first: int, last: int) -> None:
        """The log holds these now."""
        self.first, self.last = max(self.first, first), max(self.last, last)

    def lost(self, first: int, last: int) -> int:
        """These events can't be read any more; return how many of them the hub doesn't have."""
        before = _count(self._had(), first, last)
        self.gone.add(first, last)
        return last + 1 - first - before

    def connected(self, stored: Iterable[Span], projected: Iterable[Span], recent: int) -> None:
        """A hub says what it has, which counts more than what was known before. What is behind ``recent`` is live."""
        self.projected = SeqRanges(projected)
        self.stored = SeqRanges(self.projected)
        self.stored.update(stored)
        self.live_from = self._had().next_missing(max(recent + 1, self.first))
        self.live = Lane(self.live_from, expected=recent + 1)
        self.backfill = Lane(self.first, expected=self.first)

    def acked(self, lane: Lane, first: int, last: int) -> None:
        """A batch is durable at the hub."""
        if not lane.under_way or (lane.under_way[0].first, lane.under_way[0].last) != (first, last):
            raise Bug(f"the hub acknowledged events {first} to {last}, which aren't the oldest under way")
        lane.under_way.popleft()
        self.stored.add(first, last)

    def told_projected(self, projected: Iterable[Span]) -> None:
        """The hub's database has these, and no others."""
        self.projected = SeqRanges(projected)
        self.stored.update(self.projected)

    # -- what is to be done ------------------------------------------------------------

    def live_span(self) -> Span | None:
        """Return what the live lane sends next, all of it; None if there is nothing."""
        return self._next_span(self.live.next, self.last)

    def backfill_span(self) -> Span | None:
        """Return the stretch that the backfill sends next; None if there is nothing."""
        return self._next_span(max(self.backfill.next, self.first), self.live_from - 1)

    def _next_span(self, first: int, last: int) -> Span | None:
        missing = self._had().missing(first, last)
        return missing[0] if missing else None

    def follows(self, lane: Lane, first: int) -> bool:
        """Return whether the hub takes a position next in a lane: it has what lies between, or nothing does."""
        return self.stored.next_missing(lane.expected) >= first

    def skip_to(self, position: int) -> bool:
        """Leave what the live lane has before a position to the backfill; False if that would be a gap too many."""
        if len(self.stored) >= _MOST_RANGES or position <= self.live.next:
            return False
        self.live_from = position
        self.live.next = position
        return True

    @property
    def unpinned(self) -> int:
        """The last position up to which this log may forget everything."""
        had = SeqRanges(self.projected)
        had.update(self.gone)
        return max(self.first, had.next_missing(self.first)) - 1

    @property
    def oldest_missing(self) -> int:
        """The first position that the hub doesn't have; behind the end if it has all."""
        return self._had().next_missing(self.first)

    @property
    def depth(self) -> int:
        """How many events of the log the hub doesn't have."""
        return max(0, self.last + 1 - self.first) - _count(self._had(), self.first, self.last)

    @property
    def live_depth(self) -> int:
        """How many events of the live lane the hub doesn't have."""
        first = max(self.first, self.live_from)
        return max(0, self.last + 1 - first) - _count(self._had(), first, self.last)

    @property
    def unprojected(self) -> int:
        """How many events of the log the hub's database doesn't have."""
        return max(0, self.last + 1 - self.first) - _count(self.projected, self.first, self.last)

    def _had(self) -> SeqRanges:
        if not len(self.gone):
            return self.stored
        had = SeqRanges(self.stored)
        had.update(self.gone)
        return had


def _count(ranges: SeqRanges, first: int, last: int) -> int:
    return sum(max(0, min(high, last) + 1 - max(low, first)) for low, high in ranges)
