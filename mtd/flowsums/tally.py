"""Sums by key, exact: integers all the way. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.planes import Damaged
from mtd.core.errors import Refused
from mtd.model.flows import Dimension

MOST = 2**63 - 1
"""The largest sum that is kept."""
KEPT = 1000
"""How many keys of a dimension are kept, those with the most octets."""

Numbers = NDArray[np.int64]
Words = NDArray[np.uint64]
"""Keys as rows of 64-bit numbers, the highest first."""

_LOW = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)
_PENDING = 200_000
_NARROW = 65_536


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

    def by(self, group: NDArray[np.int64], groups: int) -> Amounts:
        """Return the sums of those of the same group. None of them is over `MOST` if all together aren't."""
        return Amounts(*(_added(column, group, groups) for column in self))

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
        self._dimension = dimension
        self._keys: list[Words] = []
        self._amounts: list[Amounts] = []
        self._pending = self._settled = 0
        self._others = NOTHING
        self._least_keys = 0

    def add(self, keys: Words, amounts: Amounts) -> None:
        """Add amounts of keys; each may be there several times."""
        self._keys.append(keys)
        self._amounts.append(amounts)
        self._pending += len(keys)
        if self._pending - self._settled > max(_PENDING, self._settled):
            self._settle()

    def add_others(self, volume: Volume, least_keys: int) -> None:
        """Add what belongs to keys that aren't known. ``least_keys``: how many there are in a part, known ones included."""
        self._others += volume
        self._least_keys = max(self._least_keys, least_keys)

    def largest(self, kept: int = KEPT) -> Sums | None:
        """Return the largest keys and the rest; None if nothing was added. Of equals the lowest key goes first."""
        self._settle()
        if not self._keys:
            return None if self._others == NOTHING else Sums(b"", _NONE, self._least_keys, self._others)
        (keys,), (amounts,) = self._keys, self._amounts
        order = np.argsort(-amounts.octets, kind="stable")[:kept]
        top = amounts[order]
        rest = amounts.volume - top.volume
        return Sums(
            packed(keys[order], self._dimension.width),
            top,
            max(len(keys), self._least_keys) - len(order),
            rest + self._others,
        )

    def _settle(self) -> None:
        if not self._keys:
            return
        keys, amounts = joined(self._keys, self._amounts)
        first, group = grouped(keys)
        self._keys = [keys[first]]
        self._amounts = [amounts.by(group, len(first))]
        self._pending = self._settled = len(first)


_NONE = Amounts(*(np.zeros(0, np.int64) for _ in range(3)))


def joined(keys: Sequence[Words], amounts: Sequence[Amounts]) -> tuple[Words, Amounts]:
    """Return parts as one."""
    columns = (np.concatenate(parts) for parts in zip(*amounts, strict=True))
    return np.concatenate(keys), Amounts(*columns)


def grouped(keys: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each different key stands first, in the order of the keys, and which of them each one is."""
    codes, groups = np.zeros(len(keys), np.int64), min(len(keys), 1)
    for column in keys.T if len(keys) else ():
        places, different = _ranked(column)
        if different == 1:
            continue  # such as the upper half of IPv4 addresses
        # Both are below the number of keys, and so of 32 bits.
        codes, groups = (
            _ranked((codes * different + places).astype(np.uint64)) if groups > 1 else (places, different)
        )
    first = np.empty(groups, np.int64)
    first[codes[::-1]] = np.arange(len(keys))[::-1]
    return first, codes


def _ranked(numbers: NDArray[np.uint64]) -> tuple[NDArray[np.int64], int]:
    """Return the place of each number among the different ones, in their order, and how many those are."""
    least = numbers.min()
    above = numbers - least
    span = int(above.max()) + 1
    if span > _NARROW + 4 * len(numbers):
        values, places = np.unique(numbers, return_inverse=True)
        return places, len(values)
    # Without sorting: a table of all numbers that there may be.
    there = np.zeros(span, np.bool_)
    there[above] = True
    ranks = np.cumsum(there) - 1
    return ranks[above], int(ranks[-1]) + 1


def packed(keys: Words, width: int) -> bytes:
    """Return keys as bytes of one width, one behind the other."""
    if width >= 8:
        return keys.astype(">u8").tobytes()
    return keys[:, 0].astype(f">u{width}").tobytes() if width else b""


def unpacked(data: bytes, width: int) -> Words:
    """Return packed keys. Raises Damaged for what are none."""
    if not width or len(data) % width:
        raise Damaged("keys of sums of flows are cut off")
    if width >= 8:
        return np.frombuffer(data, ">u8").reshape(-1, width // 8).astype(np.uint64)
    return np.frombuffer(data, f">u{width}").reshape(-1, 1).astype(np.uint64)


def total(numbers: NDArray[Any]) -> int:
    """Return the sum of numbers that aren't negative, however large it is."""
    wide = numbers.astype(np.uint64)
    return (int((wide >> _HALF).sum()) << 32) + int((wide & _LOW).sum())


def product(numbers: NDArray[np.uint64], factors: NDArray[np.uint64]) -> int:
    """Return the sum of numbers, each times a factor of 32 bits, however large it is."""
    high, low = (numbers >> _HALF) * factors, (numbers & _LOW) * factors
    return (total(high) << 32) + total(low)


def _added(numbers: Numbers, group: NDArray[np.int64], groups: int) -> Numbers:
    sums = np.zeros(groups, np.int64)
    np.add.at(sums, group, numbers)
    return sums
