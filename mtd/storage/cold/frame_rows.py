"""Rows of COPY BINARY with the arrays of frames, parsed many at a time.

Frames of one layout have equal bytes wherever no value stands, as long as the
same values are absent: one row is followed field by field, and all that are
like it are taken apart as one matrix of bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtd.storage.cold.binary import (
    COPY_HEADER,
    COPY_TRAILER,
    absent_elements,
    element_starts,
    element_type,
)

# A row: the number of fields, then a length and a value for each of tenant, layout, time, seq and three arrays.
_TENANT = slice(6, 22)
_LAYOUT = slice(26, 34)
_TIME = slice(38, 46)
_SEQ = slice(50, 58)
_COUNTERS_AT = 58
_ARRAY_HEADER = 20
_EMPTY_ARRAY = 12
_COUNTER = element_type("i8")
_GAUGE = element_type("f8")
_RATE = element_type("f4")


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Frames of one tenant and layout (``names``: both as bytes) with the same values absent."""

    names: bytes
    postgres_us: NDArray[np.int64]
    seq: NDArray[np.int64]
    counters: NDArray[np.int64]
    counters_absent: NDArray[np.bool_] | None  # of the counters, not of the frames
    gauges: NDArray[np.float64]
    rates_absent: NDArray[np.bool_] | None  # as of the counters

    def absent_counters(self) -> NDArray[np.bool_]:
        """Return which counters of each frame are absent."""
        absent = self.counters_absent
        if absent is None:
            absent = np.zeros(self.counters.shape[1], dtype=np.bool_)
        return np.broadcast_to(absent, self.counters.shape)

    def absent_rates(self, rates: int) -> NDArray[np.bool_]:
        """Return which of so many rates of each frame are absent."""
        absent = self.rates_absent
        if absent is None:
            absent = np.zeros(rates, dtype=np.bool_)
        return np.broadcast_to(absent, (len(self.seq), rates))


def parse(rows: Iterable[bytes]) -> Iterator[Part]:
    """Yield the frames of the rows that COPY sends, header and trailer included."""
    by_size: dict[int, list[bytes]] = {}
    for row in rows:
        by_size.setdefault(len(row), []).append(row)
    # The header comes with the first row, so it is alone with its size unless it is brought to that of its like.
    for size, found in list(by_size.items()):
        if found[0].__class__ is not bytes:
            found[:] = [bytes(row) for row in found]
        if found[0].startswith(COPY_HEADER):
            first = found.pop(0)[len(COPY_HEADER) :]
            by_size.setdefault(size - len(COPY_HEADER), []).insert(0, first)
            break
    for size, found in by_size.items():
        if size > len(COPY_TRAILER) and found:
            yield from _parts(np.frombuffer(b"".join(found), np.uint8).reshape(len(found), size))


def _parts(rows: NDArray[np.uint8]) -> Iterator[Part]:
    """Take rows of equal size apart, those with the same shape and names at a time."""
    while len(rows):
        shape = _Shape(rows[0].tobytes())
        alike = (rows[:, shape.fixed] == rows[0, shape.fixed]).all(axis=1)
        if alike.all():
            yield shape.part(rows)
            return
        yield shape.part(rows[alike])
        rows = rows[~alike]


class _Shape:
    """Where the values of a row stand."""

    def __init__(self, row: bytes) -> None:
        self._names = row[_TENANT] + row[_LAYOUT]
        self._counters = _Array(row, _COUNTERS_AT + 4, _COUNTER)
        self._gauges = _Array(row, self._counters.end + 4, _GAUGE)
        # NULL, unless one of them is.
        rates_at = self._gauges.end + 4
        self._rates = _Array(row, rates_at, _RATE) if rates_at < len(row) else None
        fixed = np.ones(len(row), dtype=np.bool_)
        fixed[_TIME] = fixed[_SEQ] = False
        for array in (self._counters, self._gauges, self._rates):
            if array is None:
                continue
            if array.absent is None:
                # Where nothing is absent the size tells that all is there: no need to look at each length.
                fixed[array.start : array.end] = False
            else:
                fixed[array.places.ravel()] = False
        self.fixed = np.flatnonzero(fixed)

    def part(self, rows: NDArray[np.uint8]) -> Part:
        """Return the frames of rows of this shape."""
        return Part(
            self._names,
            _integers(rows[:, _TIME]),
            _integers(rows[:, _SEQ]),
            self._counters.values(rows, 0),
            self._counters.absent,
            self._gauges.values(rows, np.nan),
            None if self._rates is None else self._rates.absent,
        )


class _Array:
    """Where the elements of an array stand in a row."""

    def __init__(self, row: bytes, at: int, element: np.dtype[Any]) -> None:
        dimensions = int.from_bytes(row[at : at + 4], "big")
        self._element = element
        self._count = int.from_bytes(row[at + 12 : at + 16], "big") if dimensions else 0
        self.start = at + (_ARRAY_HEADER if dimensions else _EMPTY_ARRAY)
        self.absent = absent_elements(row, self.start, self._count, element)
        absent = np.zeros(self._count, dtype=np.bool_) if self.absent is None else self.absent
        width = element.itemsize - 4
        starts = self.start + element_starts(absent, width) if self._count else np.zeros(0, dtype=np.int64)
        self.end = self.start + element.itemsize * self._count - width * int(absent.sum())
        self.places = starts[~absent][:, None] + np.arange(4, element.itemsize)

    def values(self, rows: NDArray[np.uint8], missing: float) -> NDArray[Any]:
        """Return the values of each row, ``missing`` where absent."""
        kind = self._element["value"]
        if self.absent is None:
            region = np.ascontiguousarray(rows[:, self.start : self.end])
            elements = region.view(self._element).reshape(len(rows), self._count)
            return elements["value"].astype(kind.newbyteorder("="))
        values = np.full((len(rows), self._count), missing, dtype=kind.newbyteorder("="))
        found = np.ascontiguousarray(rows[:, self.places.ravel()]).view(kind)
        values[:, ~self.absent] = found
        return values


def _integers(columns: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.ascontiguousarray(columns).view(">i8")[:, 0].astype(np.int64)
