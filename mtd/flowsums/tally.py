"""What is kept of sums by key: the largest, and all others together. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtd.codec.flows import tally
from mtd.codec.flows.tally import Keyed, Words, pack_keys, words_of
from mtd.core.errors import Refused
from mtd.model.flows import Dimension

MOST = 2**63 - 1
"""The largest sum that is kept."""
KEPT = 1000
"""How many keys of a dimension are kept, those with the most octets."""

Numbers = NDArray[np.int64]

_LOW = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)


class TooMuch(Refused):
    """A sum is larger than what is kept: it is not stored, for it would be wrong."""


@dataclass(frozen=True, slots=True)
class Volume:
    """What records add up to."""

    octets: int = 0
    packets: int = 0
    flows: int = 0

    def __add__(self, other: Volume) -> Volume:
        return Volume(self.octets + other.octets, self.packets + other.packets, self.flows + other.flows)

    def __sub__(self, other: Volume) -> Volume:
        return Volume(self.octets - other.octets, self.packets - other.packets, self.flows - other.flows)

    def check(self) -> None:
        """Raise TooMuch for what isn't kept."""
        if max(self.octets, self.packets, self.flows) > MOST:
            raise TooMuch("more than 2^63 - 1 octets or packets")


NOTHING = Volume()


@dataclass(frozen=True, slots=True, eq=False)
class Amounts:
    """Octets, packets and flows of each key, or of each record."""

    octets: Numbers
    packets: Numbers
    flows: Numbers

    def __len__(self) -> int:
        return len(self.octets)

    def __getitem__(self, places: Any) -> Amounts:
        return Amounts(self.octets[places], self.packets[places], self.flows[places])

    @property
    def volume(self) -> Volume:
        """All together."""
        return Volume(total(self.octets), total(self.packets), total(self.flows))

    @classmethod
    def from_sums(cls, sums: tally.Sums) -> Amounts:
        """Return what a tally gives, column by column."""
        return cls(*(np.ascontiguousarray(sums[:, place]) for place in range(3)))

    def of(self, keys: Words) -> Keyed:
        """Return them with the keys that they belong to."""
        return Keyed(keys, np.column_stack(tuple(self)))

    def __iter__(self) -> Iterator[Numbers]:
        return iter((self.octets, self.packets, self.flows))


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """A dimension of a minute or an hour: the largest keys, one behind the other, and all others together."""

    keys: bytes
    amounts: Amounts
    other_keys: int
    others: Volume

    @property
    def volume(self) -> Volume:
        """All together."""
        return self.amounts.volume + self.others


class Tally:
    """What keys of one dimension add up to, added in parts.

    Who adds sees to it that all together isn't over `MOST`.
    """

    def __init__(self, dimension: Dimension) -> None:
        self._width = dimension.width
        self._sums = tally.Tally(words_of(dimension.width))
        self._others = NOTHING
        self._least_keys = 0

    def add(self, some: Keyed) -> None:
        """Add amounts of keys; each may be there several times."""
        self._sums.add(some)

    def add_others(self, volume: Volume, least_keys: int) -> None:
        """Add what belongs to keys that aren't known. ``least_keys``: how many there are in a part, known ones included."""
        self._others += volume
        self._least_keys = max(self._least_keys, least_keys)

    def largest(self, kept: int = KEPT) -> Sums | None:
        """Return the largest keys and the rest; None if nothing was added. Of equals the lowest key goes first."""
        words, sums = self._sums.all()
        if not len(words) and self._others == NOTHING:
            return None
        best = self._sums.largest(kept)
        top = Amounts.from_sums(best.sums)
        return Sums(
            pack_keys(best.words, self._width),
            top,
            max(len(words), self._least_keys) - len(top),
            Amounts.from_sums(sums).volume - top.volume + self._others,
        )


def total(numbers: NDArray[Any]) -> int:
    """Return the sum of numbers that aren't negative, however large it is."""
    wide = numbers.astype(np.uint64)
    return (int((wide >> _HALF).sum()) << 32) + int((wide & _LOW).sum())


def product(numbers: NDArray[np.uint64], factors: NDArray[np.uint64]) -> int:
    """Return the sum of numbers, each times a factor of 32 bits, however large it is."""
    high, low = (numbers >> _HALF) * factors, (numbers & _LOW) * factors
    return (total(high) << 32) + total(low)
