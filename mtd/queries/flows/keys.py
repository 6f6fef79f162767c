"""Keys of sums as rows of 64-bit words, which NumPy sorts and compares, and what records come to.

A key of up to eight bytes is one word; an address is two, two addresses are four. Words sort as keys do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mtd.model.flows import Dimension

Words: TypeAlias = NDArray[np.uint64]
"""A row for each key."""
Sums: TypeAlias = NDArray[np.int64]
"""A row for each key: octets, packets, flows."""
Columns: TypeAlias = Mapping[str, NDArray[Any]]

SUMMED = frozenset({"octets", "packets", "sampling"})
"""Columns of a block that ``sums_of`` looks at."""

_MOST = float(1 << 46)  # as who stores records lets through: so the sum of a block is one of 63 bits


class Keyed(NamedTuple):
    """Keys, and what belongs to each; keys may come again."""

    words: Words
    sums: Sums


def words_of(width: int) -> int:
    """Return how many words a key of so many bytes is."""
    return max(1, width // 8)


def unpack_keys(keys: bytes, width: int, count: int) -> Words:
    """Return ``count`` keys of ``width`` bytes, one behind the other. Raises ValueError if they are more or fewer."""
    if len(keys) != width * count:
        raise ValueError(f"{len(keys)} bytes are not {count} keys of {width}")
    if not width:
        return np.zeros((count, 1), np.uint64)
    kind = ">u8" if width > 8 else f">u{width}"
    return np.frombuffer(keys, kind).astype(np.uint64).reshape(count, words_of(width))


def pack_key(words: NDArray[np.uint64], width: int) -> bytes:
    """Return one key as the bytes that it is."""
    return words.astype(">u8").tobytes()[-width:] if width else b""


def keyed(columns: Columns, count: int, dimension: Dimension) -> Keyed | None:
    """Return the keys of records, and what each comes to; None if their exporter doesn't tell the dimension.

    A number that is too long for a key is none.
    """
    if not dimension.columns:
        return Keyed(np.zeros((count, 1), np.uint64), sums_of(columns, count))
    if any(name not in columns for name in dimension.columns):
        return None
    parts: list[NDArray[Any]] = []
    for name in dimension.columns:
        column = columns[name]
        parts += [column] if column.dtype.names is None else [column["high"], column["low"]]
    words = np.column_stack([part.astype(np.uint64) for part in parts])
    found = Keyed(words, sums_of(columns, count))
    if dimension.width >= 8:
        return found
    fits = words[:, 0] < np.uint64(1 << 8 * dimension.width)
    return found if fits.all() else Keyed(words[fits], found.sums[fits])


def believable(columns: Columns) -> bool:
    """Return whether no record stands for more than any link carries: what is added up then is exact."""
    rates = np.maximum(columns["sampling"], 1).astype(np.float64) if "sampling" in columns else 1.0
    return all(
        float((columns[name] * rates).max()) <= _MOST for name in ("octets", "packets") if name in columns
    )


def sums_of(columns: Columns, count: int) -> Sums:
    """Return what each record stands for: octets and packets times its sampling, and itself."""
    found = np.zeros((count, 3), np.int64)
    rates = np.maximum(columns["sampling"], 1).astype(np.uint64) if "sampling" in columns else None
    for place, name in enumerate(("octets", "packets")):
        if name in columns:
            told = columns[name].astype(np.uint64)
            found[:, place] = told if rates is None else told * rates
    found[:, 2] = 1
    return found
