"""Adding up by key, however many pieces it comes in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtd.queries.flows.errors import TooManyFlows
from mtd.queries.flows.keys import Keyed, Sums, Words
from mtd.queries.flows.records import Order

MOST_KEYS = 2_000_000
"""Different ones of a tally: of two addresses each they take 112 MB."""
# So many wait before they are sorted in; as many as are known already, so that each is sorted few times.
_AT_ONCE = 200_000

_PLACES = {Order.OCTETS: 0, Order.PACKETS: 1, Order.FLOWS: 2}


class Tally:
    """What came so far, by key. ``width``: words of a key."""

    def __init__(self, width: int, most_keys: int = MOST_KEYS) -> None:
        self._most = most_keys
        self._known = Keyed(np.zeros((0, width), np.uint64), np.zeros((0, 3), np.int64))
        self._waiting: list[Keyed] = []
        self._count = 0

    def add(self, some: Keyed) -> None:
        """Add some keys. Raises TooManyFlows for more different ones than it may hold."""
        self._waiting.append(some)
        self._count += len(some.words)
        if self._count > max(_AT_ONCE, len(self._known.words)):
            self._sort_in()

    def all(self) -> Keyed:
        """Return each key once, in their order."""
        self._sort_in()
        return self._known

    def largest(self, limit: int, order: Order) -> Keyed:
        """Return the largest, the largest first; of equals, the lower key."""
        words, sums = self.all()
        best = np.argsort(-sums[:, _PLACES[order]], kind="stable")[:limit]
        return Keyed(words[best], sums[best])

    def _sort_in(self) -> None:
        if not self._waiting:
            return
        pieces, self._waiting, self._count = [self._known, *self._waiting], [], 0
        self._known = grouped(
            np.concatenate([piece.words for piece in pieces]),
            np.concatenate([piece.sums for piece in pieces]),
        )
        if len(self._known.words) > self._most:
            raise TooManyFlows(f"there are more than {self._most} different keys in it")


def grouped(words: Words, sums: Sums) -> Keyed:
    """Return each key once, in their order, with what belongs to it added up."""
    if not len(words):
        return Keyed(words, sums)
    columns = _narrowed(words)
    places = np.argsort(columns[0]) if len(columns) == 1 else np.lexsort(columns[::-1])
    new = np.zeros(len(words), np.bool_)
    new[0] = True
    for column in columns:
        ordered = column[places]
        new[1:] |= ordered[1:] != ordered[:-1]
    begins = np.flatnonzero(new)
    return Keyed(words[places[begins]], np.add.reduceat(sums[places], begins, axis=0))


def _narrowed(words: Words) -> list[NDArray[np.uint64]]:
    """Return as few columns as sort like the words: of IPv4 addresses most bits are the same.

    What differs of one word is put behind what differs of the one before, where both have room in 64 bits.
    """
    found = [np.zeros(len(words), np.uint64)]
    room = 64
    for column in words.T:
        least = column.min()
        bits = int(column.max() - least).bit_length()
        if bits > room:
            found.append(np.zeros(len(words), np.uint64))
            room = 64
        # Nothing is there yet where all bits are needed, and NumPy can't shift by as many.
        found[-1] = (found[-1] << np.uint64(bits) if bits < 64 else found[-1]) | (column - least)
        room -= bits
    return found


class Timeline:
    """Some keys over time: their sums in each step."""

    def __init__(self, keys: Words, steps: int) -> None:
        self._keys = keys
        self._waiting: list[tuple[int, Keyed]] = []
        self._count = 0
        self._sums = np.zeros((steps, len(keys), 3), np.int64)

    def add(self, step: int, some: Keyed) -> None:
        """Add what some keys, of which others are left out, have in a step."""
        self._waiting.append((step, some))
        self._count += len(some.words)
        if self._count > _AT_ONCE:
            self._sort_in()

    def sums(self) -> Sums:
        """Return them by step and key."""
        self._sort_in()
        return self._sums

    def _sort_in(self) -> None:
        if not self._waiting:
            return
        steps = np.repeat(
            np.array([step for step, _ in self._waiting]), [len(some.words) for _, some in self._waiting]
        )
        words = np.concatenate([some.words for _, some in self._waiting])
        sums = np.concatenate([some.sums for _, some in self._waiting])
        self._waiting, self._count = [], 0
        for place, key in enumerate(self._keys):
            same = np.flatnonzero((words == key).all(axis=1))
            np.add.at(self._sums[:, place], steps[same], sums[same])
