"""Sums by key, exact: integers all the way. Pure.

A key is a row of 64-bit words, the highest first: one of up to eight bytes is one word, an address is two, two addresses
are four. So words sort as keys do, and NumPy does the work.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.planes import Damaged

Words: TypeAlias = NDArray[np.uint64]
"""A row for each key."""
Sums: TypeAlias = NDArray[np.int64]
"""A row for each key: octets, packets, flows."""

# So many wait before they are added up; as many as are known already, so that each is sorted few times.
_AT_ONCE = 200_000
# Numbers that are no further apart than this, or a few times as far as there are of them, are counted in a table.
_NARROW = 4096
_TIMES = 4


class Keyed(NamedTuple):
    """Keys, and what belongs to each; keys may come again."""

    words: Words
    sums: Sums


class Tally:
    """What came so far, by key. ``width``: words of a key.

    Who adds sees to it that all together isn't over 63 bits.
    """

    def __init__(self, width: int) -> None:
        self._known = Keyed(np.zeros((0, width), np.uint64), np.zeros((0, 3), np.int64))
        self._waiting: list[Keyed] = []
        self._count = 0

    @property
    def known(self) -> int:
        """How many different keys there are among those that don't wait to be added up."""
        return len(self._known.words)

    def add(self, some: Keyed) -> None:
        """Add some keys."""
        self._waiting.append(some)
        self._count += len(some.words)
        if self._count > max(_AT_ONCE, self.known):
            self._sort_in()

    def all(self) -> Keyed:
        """Return each key once, in their order."""
        self._sort_in()
        return self._known

    def largest(self, limit: int, place: int = 0) -> Keyed:
        """Return the largest by one of the sums, the largest first; of equals, the lower key."""
        words, sums = self.all()
        best = np.argsort(-sums[:, place], kind="stable")[:limit]
        return Keyed(words[best], sums[best])

    def _sort_in(self) -> None:
        if not self._waiting:
            return
        pieces, self._waiting, self._count = [self._known, *self._waiting], [], 0
        self._known = summed(
            Keyed(
                np.concatenate([piece.words for piece in pieces]),
                np.concatenate([piece.sums for piece in pieces]),
            )
        )


def summed(some: Keyed) -> Keyed:
    """Return each key once, in their order, with what belongs to it added up."""
    if not len(some.words):
        return some
    first, group = grouped(some.words)
    sums = np.zeros((len(first), 3), np.int64)
    for place in range(3):  # NumPy is several times as fast with one dimension
        np.add.at(sums[:, place], group, some.sums[:, place])
    return Keyed(some.words[first], sums)


def grouped(words: Words) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where each different key stands first, in the order of the keys, and which of them each one is."""
    codes, groups = np.zeros(len(words), np.int64), min(len(words), 1)
    for column in _narrowed(words) if len(words) else ():
        places, different = _ranked(column)
        if different == 1:
            continue
        # Both are below the number of keys, and so of 32 bits.
        codes, groups = (
            _ranked((codes * different + places).astype(np.uint64)) if groups > 1 else (places, different)
        )
    first = np.empty(groups, np.int64)
    first[codes[::-1]] = np.arange(len(words))[::-1]
    return first, codes


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


def _ranked(numbers: NDArray[np.uint64]) -> tuple[NDArray[np.int64], int]:
    """Return the place of each number among the different ones, in their order, and how many those are."""
    least = numbers.min()
    above = numbers - least
    span = int(above.max()) + 1
    if span > _NARROW + _TIMES * len(numbers):
        values, places = np.unique(numbers, return_inverse=True)
        return places, len(values)
    # Without sorting: a table of all numbers that there may be.
    there = np.zeros(span, np.bool_)
    there[above] = True
    ranks = np.cumsum(there) - 1
    return ranks[above], int(ranks[-1]) + 1


def words_of(width: int) -> int:
    """Return how many words a key of so many bytes is."""
    return max(1, width // 8)


def pack_keys(words: Words, width: int) -> bytes:
    """Return keys as bytes of one width, one behind the other."""
    if width >= 8:
        return words.astype(">u8").tobytes()
    return words[:, 0].astype(f">u{width}").tobytes() if width else b""


def unpack_keys(data: bytes, width: int, count: int) -> Words:
    """Return ``count`` packed keys. Raises Damaged if they are more or fewer."""
    if len(data) != width * count:
        raise Damaged(f"{len(data)} bytes are not {count} keys of {width}")
    if not width:
        return np.zeros((count, 1), np.uint64)
    kind = f">u{min(width, 8)}"
    return np.frombuffer(data, kind).astype(np.uint64).reshape(count, words_of(width))
