"""Words of numbers that follow each other in a row, read for all rows at once.

Most of what is polled are counters, ten to an interface. Cut out one by one,
each costs a group of the pattern, a bytes object, and a place in the check of
its length byte. Here a row's run of number words stays one piece; the pieces of
all rows are joined, and checked and parsed as arrays.

What is accepted is exactly what reading word by word accepts:

- Without its digits, the text is the keys in their order, each between two
  equals signs, with a byte below 0x20 before it; nothing else.
- Those bytes, in their order, are taken for the lengths of the words. Each must
  stand where the words before it end. So word by word, each has its own length.
- In each word, both equals signs stand around the place of the key. As many
  bytes as the key has are between them, so no digit is. The rest is the value.
- No word is as short as what stands before its value: none is empty, and there are as many numbers as words.

Whatever differs is left to the other ways of reading.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtd.model.numbers import Numbers, integers_in
from mtd.model.text import decode_text

_DIGITS = b"0123456789"
_CONTROL = 0x20  # of length bytes, only those below can be told from text
# Which length byte it is doesn't matter to the order of keys: all become 1.
_ANY_LENGTH = bytes([0, *([1] * (_CONTROL - 1)), *range(_CONTROL, 256)])
_ALL_BUT_LENGTHS = bytes([0, *range(_CONTROL, 256)])
# Numbers with blanks between them, and no keys: what NumPy parses.
_BLANKS = bytes([*([0x20] * _CONTROL), *range(_CONTROL, 256)])
_ALL_BUT_NUMBERS = bytes(byte for byte in range(_CONTROL, 256) if byte not in _DIGITS)
_ROW_END = b"\0"
_KEY = re.compile(rb"[A-Za-z][A-Za-z-]{0,22}")
_TOO_LARGE = np.iinfo(np.int64).max  # what NumPy makes of numbers that don't fit


class NumberRun:
    """Keys whose words follow each other, each with a number that is always there."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self.names = tuple(map(decode_text, keys))
        self._order = b"".join(b"\x01=" + key + b"=" for key in keys) + _ROW_END
        # Of each word, what stands before the value: both equals signs and the key.
        self._prefix = np.array([len(key) + 2 for key in keys], dtype=np.int64)
        self._grid = _Grid(self._prefix, 1)

    @staticmethod
    def suits(key: bytes) -> bool:
        """Return whether a key can be told from its value, and its length byte from text."""
        return _KEY.fullmatch(key) is not None

    def read(self, pieces: Sequence[bytes]) -> Numbers | None:
        """Return the numbers of the run of each row, or None if a piece is anything but such words."""
        rows, keys = len(pieces), len(self.names)
        raw = _ROW_END.join((*pieces, b""))
        if raw.translate(_ANY_LENGTH, _DIGITS) != self._order * rows:
            return None
        grid = self._grid
        if grid.rows != rows:  # most replies have as many rows as the one before
            grid = self._grid = _Grid(self._prefix, rows)
        told = raw.translate(None, _ALL_BUT_LENGTHS)
        words = np.frombuffer(told, dtype=np.uint8)
        ends = np.add.accumulate(words, dtype=np.int64) + grid.others
        if int(ends[-1]) + len(_ROW_END) != len(raw):
            return None
        text = np.frombuffer(raw, dtype=np.uint8)
        places = ends - words  # of the words' first bytes
        if (
            # Compared as bytes: a third of what all() over an array costs.
            text[places - 1].tobytes() != told
            or text[places].tobytes() != grid.equals
            or text.take(places + grid.second_equals, mode="clip").tobytes() != grid.equals
        ):
            return None
        if np.logical_or.reduce(words == grid.empty):
            return None
        values = integers_in(raw.translate(_BLANKS, _ALL_BUT_NUMBERS), " ", rows * keys)
        if np.maximum.reduce(values) == _TOO_LARGE:
            return None
        return Numbers(self.names, values.reshape(rows, keys), raw)


class _Grid:
    """What depends on the number of rows only."""

    def __init__(self, prefix: NDArray[np.int64], rows: int) -> None:
        self.rows = rows
        count = rows * len(prefix)
        # Bytes up to a word's end that are no word's: length bytes, its own too, and ends of rows before.
        number = np.arange(count, dtype=np.int64)
        self.others = number + 1 + number // len(prefix)
        self.second_equals = np.tile(prefix - 1, rows)
        self.equals = b"=" * count
        self.empty = np.tile(prefix, rows).astype(np.uint8)  # lengths of words without a value
