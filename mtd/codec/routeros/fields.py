"""Values of one key among the groups of a pattern, and the check of their length bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtd.codec.routeros.columns import Column


@dataclass(frozen=True, slots=True)
class Field:
    """Where a key's value is among the groups of a match, and its length byte."""

    name: str
    value: int
    length: int | None  # None: the pattern itself ties the length to the value
    to_value_length: bytes  # translates a length byte to the length of the value
    optional: bool

    def column(self, groups: Sequence[tuple[bytes, ...]]) -> Column | None:
        """Return a column, or None if a length byte in it lies."""
        values = groups[self.value]
        if self.length is None:
            # A flag is never empty: an empty group is one that took no part.
            if self.optional and b"" in values:
                return tuple([value or None for value in values])
            return values
        lengths = groups[self.length]
        if self.optional and b"" in lengths:
            return self._optional_column(lengths, values)
        told = b"".join(lengths).translate(self.to_value_length)
        return values if told == bytes(map(len, values)) else None

    def _optional_column(self, lengths: tuple[bytes, ...], values: tuple[bytes, ...]) -> Column | None:
        told = b"".join(lengths).translate(self.to_value_length)
        present = tuple([value if length else None for length, value in zip(lengths, values, strict=True)])
        return present if told == bytes([len(value) for value in present if value is not None]) else None
