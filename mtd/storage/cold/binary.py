"""PostgreSQL's binary format, in arrays: fields, rows of COPY, arrays of numbers.

An array travels as a header, then four bytes of length and the value for each
element; NULL has the length -1 and no value. Without NULLs that is a NumPy
record array; with them, the runs of what is there and what isn't are followed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtd.storage.errors import RowUnusable

COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"
NULL_FIELD = b"\xff\xff\xff\xff"

_OIDS = {"i1": 18, "i2": 21, "i4": 23, "i8": 20, "f8": 701}  # i1 is "char"
_CODES = {oid: code for code, oid in _OIDS.items()}
_HEADER = struct.Struct(">iiIii")  # dimensions, whether there are NULLs, type, length, first subscript
_EMPTY = struct.Struct(">iiI")
_LENGTH = struct.Struct(">i")
_FIRST_LOOK = 64
_BYTES_AT_ONCE = 1_000_000


def int4_field(value: int) -> bytes:
    """Return an int4 with its length."""
    return struct.pack(">ii", 4, value)


def int8_field(value: int) -> bytes:
    """Return an int8, or a timestamptz, with its length."""
    return struct.pack(">iq", 8, value)


def bytes_field(value: bytes) -> bytes:
    """Return a bytea, a text's UTF-8 or a UUID's bytes, with the length."""
    return _LENGTH.pack(len(value)) + value


def present(data: bytes | None) -> bytes:
    """Return a value that is never NULL. Raises RowUnusable for one that is."""
    if data is None:
        raise RowUnusable("a column that is never NULL is")
    return data


def integer_of(data: bytes | None) -> int:
    """Return an integer of any size that is never NULL."""
    return int.from_bytes(present(data), "big", signed=True)


def element_type(code: str) -> np.dtype[Any]:
    """Return the record that an element of an array is, such as that of ``i8``."""
    return np.dtype([("length", ">i4"), ("value", f">{code}")])


def array_field(values: NDArray[Any], absent: NDArray[np.bool_] | None = None) -> bytes:
    """Return an array of numbers with its length; NULL where ``absent``.

    int8 becomes ``"char"[]``, other integers and float64 the type of their size.
    """
    code = values.dtype.str[1:]
    oid, count, width = _OIDS[code], len(values), values.dtype.itemsize
    if not count:
        return bytes_field(_EMPTY.pack(0, 0, oid))
    elements = np.empty(count, dtype=element_type(code))
    elements["length"] = width
    elements["value"] = values
    nulls = absent is not None and bool(absent.any())
    if nulls:
        elements["length"][absent] = -1
        raw = elements.view(np.uint8).reshape(count, 4 + width)
        kept = np.ones(raw.shape, dtype=np.bool_)
        kept[absent, 4:] = False
        body = raw[kept].tobytes()
    else:
        body = elements.tobytes()
    return bytes_field(_HEADER.pack(1, int(nulls), oid, count, 1) + body)


def array_of(data: bytes) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    """Return the values of an array without its length, 0 where NULL, and which are NULL (None: none)."""
    dimensions, _, oid = _EMPTY.unpack_from(data)
    code = _CODES[oid]
    if not dimensions:
        return np.zeros(0, dtype=code), None
    count = _HEADER.unpack_from(data)[3]
    element = element_type(code)
    absent = absent_elements(data, _HEADER.size, count, element)
    if absent is None:
        return np.frombuffer(data, element, count, _HEADER.size)["value"].astype(code), None
    raw = np.frombuffer(data, np.uint8, offset=_HEADER.size)
    width = element.itemsize - 4
    starts = element_starts(absent, width)[~absent] + 4
    values = np.zeros(count, dtype=code)
    values[~absent] = raw[starts[:, None] + np.arange(width)].view(f">{code}")[:, 0]
    return values, absent


def element_starts(absent: NDArray[np.bool_], width: int) -> NDArray[np.int64]:
    """Return where each element begins, after the header of its array."""
    ends = np.cumsum(np.where(absent, 4, 4 + width))
    return np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])


def absent_elements(data: bytes, offset: int, count: int, element: np.dtype[Any]) -> NDArray[np.bool_] | None:
    """Return which elements from ``offset`` on are NULL; None: none of them."""
    width = element.itemsize - 4
    if len(data) - offset >= count * element.itemsize:
        lengths = np.frombuffer(data, element, count, offset)["length"]
        if (lengths == width).all():
            return None
    absent = np.zeros(count, dtype=np.bool_)
    at, position = offset, 0
    while position < count:
        run = _run(data, at, count - position, element, "length", width)
        position, at = position + run, at + run * element.itemsize
        if position < count:
            run = _run(data, at, count - position, _NULLS, "length", -1)
            absent[position : position + run] = True
            position, at = position + run, at + run * 4
            if not run:
                raise ValueError("an array isn't of the declared type")
    return absent


_NULLS: np.dtype[Any] = np.dtype([("length", ">i4")])


def _run(data: bytes, at: int, most: int, element: np.dtype[Any], field: str, expected: int) -> int:
    """Return how many elements in a row have the expected length. Looks a little ahead first, then farther."""
    found, look = 0, _FIRST_LOOK
    while found < most:
        room = (len(data) - at) // element.itemsize
        size = min(look, most - found, room)
        if size <= 0:
            # A NULL at the very end leaves no room for an element.
            return found
        differs = np.flatnonzero(np.frombuffer(data, element, size, at)[field] != expected)
        if len(differs):
            return found + int(differs[0])
        found, at, look = found + size, at + size * element.itemsize, look * 4
    return found


def copy_data(rows: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    """Yield what COPY FROM takes, of rows whose fields have their lengths."""
    pieces, size = [COPY_HEADER], 0
    for fields in rows:
        pieces.append(len(fields).to_bytes(2, "big"))
        pieces += fields
        size += sum(map(len, fields))
        if size > _BYTES_AT_ONCE:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join([*pieces, COPY_TRAILER])
