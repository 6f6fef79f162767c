"""Packed fields of protocol buffers, written from arrays: no Python object for a number."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

_VARINT_BYTES = 10  # of 64 bits, seven to a byte
_LENGTH_DELIMITED = 2


Parts: TypeAlias = "list[bytes | memoryview]"
"""Bytes that follow each other: joined once, at the very end."""


def packed_doubles(number: int, values: ArrayLike) -> Parts:
    """Return a field ``repeated double``; nothing if it is empty."""
    return _packed(number, np.ascontiguousarray(values, dtype="<f8"))


def packed_int64s(number: int, values: ArrayLike) -> Parts:
    """Return a field ``repeated int64``; nothing if it is empty."""
    array = np.ascontiguousarray(values, dtype=np.int64)
    return _packed(number, np.ascontiguousarray(_varints(array.view(np.uint64))))


def _packed(number: int, content: NDArray[Any]) -> Parts:
    return delimited(number, [content.data.cast("B")]) if len(content) else []


def delimited(number: int, content: Parts) -> Parts:
    """Return a field with its length in front; nothing if it is empty."""
    length = sum(map(len, content))
    if not length:
        return []
    return [_varint(number << 3 | _LENGTH_DELIMITED) + _varint(length), *content]


# Halves are moved apart by the bits that a varint's bytes have to spare: 28 bits each, then 14, then 7.
_SPREAD = (
    (0x000000000FFFFFFF, 0x00FFFFFFF0000000, 4),
    (0x00003FFF00003FFF, 0x0FFFC0000FFFC000, 2),
    (0x007F007F007F007F, 0x3F803F803F803F80, 1),
)
_EIGHT_BYTES = 1 << 56
_MORE = 0x8080808080808080


def _varints(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the bytes of numbers as varints, one after the other."""
    if not len(values):
        return np.empty(0, dtype=np.uint8)
    lowest, highest = int(values.min()), int(values.max())
    longest = _length(highest)
    # The top bit tells that more of the number follows.
    if highest < _EIGHT_BYTES:
        spread = _spread(values)
        if _length(lowest) == longest:
            spread |= np.uint64(_MORE >> 8 * (9 - longest))
            return spread.view(np.uint8).reshape(-1, 8)[:, :longest].reshape(-1)
        table = spread.view(np.uint8).reshape(-1, 8)[:, :longest]
    else:
        table = _sevens(values)[:, :longest]
    ends = np.zeros(len(values), dtype=np.intp)
    for place in range(1, longest):
        ends += values >= np.uint64(1 << 7 * place)
    table |= 0x80
    table[np.arange(len(values)), ends] &= 0x7F
    return table[np.arange(longest) <= ends[:, None]]


def _spread(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return eight bytes of seven bits each, the lowest first, of numbers of up to 56 bits."""
    spread = values.astype("<u8")
    for low, high, bits in _SPREAD:
        upper = spread & np.uint64(high)
        upper <<= np.uint64(bits)
        spread &= np.uint64(low)
        spread |= upper
    return spread


def _sevens(values: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return ten bytes of seven bits each, the lowest first, of any numbers."""
    table = np.empty((len(values), _VARINT_BYTES), dtype=np.uint8)
    rest = values.copy()
    for place in range(_VARINT_BYTES):
        table[:, place] = rest
        rest >>= np.uint64(7)
    table &= 0x7F
    return table


def _length(value: int) -> int:
    return max(1, -(-value.bit_length() // 7))


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
