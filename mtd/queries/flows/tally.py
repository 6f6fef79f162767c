"""Adding up by key, within what one question may hold, and over time."""

from __future__ import annotations

import numpy as np

from mtd.codec.flows import tally
from mtd.codec.flows.tally import Keyed, Sums, Words
from mtd.queries.flows.errors import TooManyFlows
from mtd.queries.flows.records import Order

MOST_KEYS = 2_000_000
"""Different ones of a tally: of two addresses each they take 112 MB."""
_AT_ONCE = 200_000

_PLACES = {Order.OCTETS: 0, Order.PACKETS: 1, Order.FLOWS: 2}


class Tally:
    """What came so far, by key. ``width``: words of a key."""

    def __init__(self, width: int, most_keys: int = MOST_KEYS) -> None:
        self._most = most_keys
        self._sums = tally.Tally(width)

    def add(self, some: Keyed) -> None:
        """Add some keys. Raises TooManyFlows for more different ones than it may hold."""
        self._sums.add(some)
        self._check()

    def all(self) -> Keyed:
        """Return each key once, in their order. Raises TooManyFlows likewise."""
        found = self._sums.all()
        self._check()
        return found

    def largest(self, limit: int, order: Order) -> Keyed:
        """Return the largest, the largest first; of equals, the lower key. Raises TooManyFlows likewise."""
        found = self._sums.largest(limit, _PLACES[order])
        self._check()
        return found

    def _check(self) -> None:
        if self._sums.known > self._most:
            raise TooManyFlows(f"there are more than {self._most} different keys in it")


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
