"""Flow records as they are kept: column by column, each packed by itself, so that a reader unpacks what it asks for.

A block is a head (version, number of records, name, kind and size of each column) and the columns. Numbers are
kept as what they are above their least one, byte by byte (see ``mtd.codec.blocks.planes``); where few different
ones come again and again, as addresses do, those once and then which of them it is. An address is its two halves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.planes import Damaged, pack_planes, pack_varint, unpack_planes, unpack_varint
from mtd.codec.flows.columns import ADDRESS

MOST_RECORDS = 65_536
"""Of one block: a reader holds one unpacked at a time."""

_VERSION = 1
_TYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype(np.uint8),
    2: np.dtype(np.uint16),
    4: np.dtype(np.uint32),
    8: np.dtype(np.uint64),
    9: np.dtype(np.int64),
    16: ADDRESS,
}
_NUMBERS = {kind: number for number, kind in _TYPES.items()}
_MOST_COLUMNS = 128
_PLAIN, _LISTED = 0, 1
_LIST_FROM = 64  # records


def encode_block(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Pack columns of the same length: unsigned numbers, int64 that aren't negative, or `ADDRESS`.

    Raises ValueError for columns that can't be packed.
    """
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1 or not 0 < (count := lengths.pop()) <= MOST_RECORDS:
        raise ValueError(f"columns of a block have one length, 1 to {MOST_RECORDS}, not {sorted(lengths)}")
    head = bytearray((_VERSION,))
    head += pack_varint(count) + pack_varint(len(columns))
    parts = []
    for name, column in columns.items():
        kind = column.dtype if column.dtype.names is None else ADDRESS
        packed = _pack(column)
        text = name.encode("ascii")
        head += (
            bytes((len(text),)) + text + bytes((_NUMBERS[kind.newbyteorder("=")],)) + pack_varint(len(packed))
        )
        parts.append(packed)
    return bytes(head) + b"".join(parts)


def decode_block(data: bytes, wanted: Collection[str] | None = None) -> tuple[int, dict[str, NDArray[Any]]]:
    """Return the number of records, and the columns that are wanted (all if None) as far as the block has them.

    Raises Damaged for what ``encode_block`` didn't make.
    """
    if not data or data[0] != _VERSION:
        raise Damaged("a block of flows of an unknown version")
    count, at = unpack_varint(data, 1)
    number, at = unpack_varint(data, at)
    if not 0 < count <= MOST_RECORDS or number > _MOST_COLUMNS:
        raise Damaged("a block of flows with too much in it")
    listed: list[tuple[str, np.dtype[Any], int]] = []
    for _ in range(number):
        end = at + 1 + (data[at] if at < len(data) else 0)
        if end >= len(data) or data[end] not in _TYPES:
            raise Damaged("the head of a block of flows is cut off")
        size, after = unpack_varint(data, end + 1)
        listed.append((data[at + 1 : end].decode("ascii", "replace"), _TYPES[data[end]], size))
        at = after
    found = {}
    for name, kind, size in listed:
        if wanted is None or name in wanted:
            found[name] = _unpack(data[at : at + size], count, kind)
        at += size
    if at != len(data):
        raise Damaged("a block of flows is cut off")
    return count, found


def _pack(column: NDArray[Any]) -> bytes:
    if column.dtype.names is not None:
        return _pack_numbers(column["high"]) + _pack_numbers(column["low"])
    return _pack_numbers(column)


def _pack_numbers(column: NDArray[Any]) -> bytes:
    if column.dtype.kind == "i" and int(column.min()) < 0:
        raise ValueError("a block has no negative numbers")
    values = column.astype(np.uint64)
    least = int(values.min())
    values -= np.uint64(least)
    if column.dtype.itemsize > 2 and len(values) >= _LIST_FROM and values.any():
        different, which = np.unique(values, return_inverse=True)
        if len(different) * 2 < len(values):
            steps = np.diff(different, prepend=np.uint64(0))
            return b"".join(
                (
                    bytes((_LISTED,)),
                    pack_varint(least),
                    pack_varint(len(different)),
                    pack_planes(steps, 0),
                    pack_planes(which.astype(np.uint64), 0),
                )
            )
    return bytes((_PLAIN,)) + pack_varint(least) + pack_planes(values, 0)


def _unpack(data: bytes, count: int, kind: np.dtype[Any]) -> NDArray[Any]:
    if kind.names is None:
        values, at = _unpack_numbers(data, 0, count)
        column: NDArray[Any] = values.astype(kind)
    else:
        column = np.empty(count, ADDRESS)
        column["high"], at = _unpack_numbers(data, 0, count)
        column["low"], at = _unpack_numbers(data, at, count)
    if at != len(data):
        raise Damaged("a column of flows has more than its records")
    return column


def _unpack_numbers(data: bytes, at: int, count: int) -> tuple[NDArray[np.uint64], int]:
    if at >= len(data):
        raise Damaged("a column of flows is cut off")
    way = data[at]
    least, at = unpack_varint(data, at + 1)
    if way == _PLAIN:
        values, at = unpack_planes(data, at, count)
    elif way == _LISTED:
        number, at = unpack_varint(data, at)
        if not 0 < number <= count:
            raise Damaged("a list of more numbers than records")
        steps, at = unpack_planes(data, at, number)
        which, at = unpack_planes(data, at, count)
        if int(which.max()) >= number:
            raise Damaged("a number that isn't in the list")
        values = np.cumsum(steps, dtype=np.uint64)[which]
    else:
        raise Damaged("an unknown way of packing flows")
    if least >= 1 << 64:
        raise Damaged("a number of more than 64 bits")
    return values + np.uint64(least), at
