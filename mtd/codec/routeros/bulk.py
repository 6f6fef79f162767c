"""Rows that end in a run of numbers: their beginning by a pattern, the numbers as arrays."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mtd.codec.routeros.columns import Portion
from mtd.codec.routeros.fields import Field
from mtd.codec.routeros.numbers import NumberRun

# What doesn't suit costs twice. After so many misses in a row (as a power of two) it rests longest;
# one success, of whatever router, and it is tried each time again.
_MOST_MISSES = 10


class BulkPattern:
    """The quick way to read a shape. What it doesn't read, `RowPattern` does.

    The last two groups are the run of numbers and what comes after the rows.
    ``tag_group`` is None if the tag stands at the end of the run.
    """

    def __init__(
        self, regex: re.Pattern[bytes], tag_group: int | None, fields: tuple[Field, ...], run: NumberRun
    ) -> None:
        self._findall = regex.findall
        self._tag_group = tag_group
        self._fields = fields
        self._names = tuple(field.name for field in fields)
        self._run = run
        self._misses = 0
        self._rest = 0

    def read(self, buffer: bytes, position: int, end: int, tag_word: bytes) -> tuple[Portion | None, int]:
        """Read the rows between ``position`` and ``end``; None if one is of another tag or shape."""
        if self._rest:
            self._rest -= 1
            return None, position
        rows = self._findall(buffer, position, end)
        after = end
        if rows and rows[-1][-1]:
            after -= len(rows.pop()[-1])
        if not rows:
            return None, position
        portion = self._portion(list(zip(*rows, strict=True)), len(rows), tag_word)
        if portion is None:
            self._misses = min(_MOST_MISSES, self._misses + 1)
            self._rest = 2**self._misses
            return None, position
        self._misses = 0
        return portion, after

    def _portion(self, groups: Sequence[tuple[bytes, ...]], count: int, tag_word: bytes) -> Portion | None:
        pieces: Sequence[bytes] = groups[-2]
        if self._tag_group is not None:
            if groups[self._tag_group].count(tag_word) != count:
                return None
        elif all([piece.endswith(tag_word) for piece in pieces]):
            pieces = [piece[: -len(tag_word)] for piece in pieces]
        else:
            return None
        columns = tuple([field.column(groups) for field in self._fields])
        if None in columns:
            return None
        numbers = self._run.read(pieces)
        return None if numbers is None else Portion(count, self._names, columns, numbers)  # type: ignore[arg-type]
