"""Numbers of a reply, parsed together: one array instead of an object for each value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DIGITS = re.compile(rb"[0-9]+")
_SAFE = re.compile(rb"[0-9]{1,18}")  # surely below 2**63


def integers_in(text: bytes, separator: str, count: int) -> NDArray[np.int64]:
    """Return the integers of a text, which must hold ``count``: nothing is known of those that it lacks.

    One that doesn't fit becomes the largest there is. The count isn't there for speed: without it NumPy reads
    into 32 KiB and cuts off the rest. What is left of that has a page to itself, and by NumPy's own cache of small
    blocks becomes the place of arrays that last.
    """
    return np.fromstring(text, dtype=np.int64, sep=separator, count=count)


@dataclass(slots=True, eq=False)
class Numbers:
    """Some columns of a reply, none of whose values is absent, negative or beyond 63 bits.

    ``values`` has a row for each row of the reply and a column for each name.
    ``raw`` is what the router wrote; its only digits are those of the values,
    row by row.
    """

    names: tuple[str, ...]
    values: NDArray[np.int64]
    raw: bytes

    @classmethod
    def of_columns(cls, names: tuple[str, ...], columns: Sequence[Sequence[bytes | None]]) -> Numbers | None:
        """Return columns of texts as numbers, or None if one of them is anything else."""
        texts = [text for row in zip(*columns, strict=True) for text in row]
        if any(text is None or _SAFE.fullmatch(text) is None for text in texts):
            return None
        values = np.array([int(text) for text in texts if text is not None], dtype=np.int64)
        return cls(names, values.reshape(-1, len(names)), b" ".join(text or b"" for text in texts) + b" ")

    def text(self, name: str) -> tuple[bytes, ...] | None:
        """Return a column as the router wrote it; None if it isn't among these."""
        if name not in self.names:
            return None
        return tuple(_DIGITS.findall(self.raw)[self.names.index(name) :: len(self.names)])

    def places(self, names: Sequence[str]) -> NDArray[np.intp] | None:
        """Return where among the columns these names are; None if one isn't."""
        known = self.names
        if not all(name in known for name in names):
            return None
        return np.array([known.index(name) for name in names], dtype=np.intp)

    def followed_by(self, other: Numbers) -> Numbers:
        """Return the rows of this and then those of another, which has the same names."""
        return Numbers(self.names, np.concatenate((self.values, other.values)), self.raw + other.raw)
