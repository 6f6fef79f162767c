"""Packed columns one after another: written to a list of pieces, read from a place that moves on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.integers import Damaged, pack, unpack_from
from mtd.codec.blocks.planes import pack_bytes, pack_varint, unpack_bytes, unpack_varint
from mtd.codec.rollups.few import unpack_few

# The bytes of a bitmap without a bit.
_AS_EXPECTED = pack_bytes(np.zeros(1, dtype=np.uint8))


class Writer:
    """Puts columns one after another."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def number(self, value: int) -> None:
        """Write a number, of any sign."""
        self._pieces.append(pack_varint(value << 1 ^ value >> 63))

    def integers(self, values: NDArray[np.int64], orders: int = 2) -> None:
        """Write integers, whose number the reader knows; see `pack` for the orders."""
        self._pieces.append(pack(values, orders))

    def mask(self, mask: NDArray[np.bool_], expected: NDArray[np.bool_]) -> None:
        """Write a mask that is mostly the one the reader expects."""
        self._pieces.append(pack_bytes(np.packbits(mask ^ expected)))

    def finish(self) -> bytes:
        """Return all that was written."""
        return b"".join(self._pieces)


class Reader:
    """Takes columns in the order in which they were written."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        """Read a number."""
        value, self._at = unpack_varint(self._data, self._at)
        return value >> 1 ^ -(value & 1)

    def integers(self, length: int) -> NDArray[np.int64]:
        """Read so many integers."""
        values, self._at = unpack_from(self._data, self._at, length)
        return values

    def mask(self, expected: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Read a mask that is mostly the one expected."""
        if self._data[self._at : self._at + 2] == _AS_EXPECTED:
            self._at += 2
            return expected
        bitmap, self._at = unpack_bytes(self._data, self._at, (len(expected) + 7) // 8)
        bits = np.unpackbits(bitmap, count=len(expected))
        return bits.view(np.bool_) ^ expected

    def few(self, length: int, *, counter: bool) -> tuple[list[NDArray[np.float64]], list[NDArray[np.int64]]]:
        """Read all columns of so many buckets; see `unpack_few`."""
        floats, integers, self._at = unpack_few(self._data, self._at, length, counter=counter)
        return floats, integers

    def finish(self) -> None:
        """Make sure that all was read.

        Raises:
            Damaged: There is more.
        """
        if self._at != len(self._data):
            raise Damaged("there is more than was written")
