"""The narrowest integers that hold some values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TYPES: tuple[tuple[int, type[np.signedinteger]], ...] = (
    (1 << 7, np.int8),
    (1 << 15, np.int16),
    (1 << 31, np.int32),
    (1 << 63, np.int64),
)


def width_of(lowest: int, highest: int) -> int:
    """Return how many bytes a signed integer between two values takes: 1, 2, 4 or 8."""
    return next(1 << power for power, (end, _) in enumerate(_TYPES) if -end <= lowest and highest < end)


def narrowed(values: NDArray[np.int64]) -> NDArray[np.signedinteger]:
    """Return the values in the narrowest type that holds them all."""
    if not len(values):
        return values.astype(np.int8)
    return values.astype(type_of(width_of(int(values.min()), int(values.max()))))


def type_of(width: int) -> type[np.signedinteger]:
    """Return the type of signed integers of that many bytes."""
    return _TYPES[width.bit_length() - 1][1]
