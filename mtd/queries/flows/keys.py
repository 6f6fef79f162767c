"""Keys of records, and what each record comes to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mtd.codec.flows.tally import Keyed, Sums, pack_keys
from mtd.model.flows import DIMENSIONS, Dimension

Columns: TypeAlias = Mapping[str, NDArray[Any]]

SUMMED = frozenset({"octets", "packets", "sampling"})
"""Columns of a block that ``sums_of`` looks at."""

_ADDRESSES = frozenset({"src_address", "dst_address", "post_nat_src_address", "post_nat_dst_address"})
_NUMBERS = (
    SUMMED.union(*(one.columns for one in DIMENSIONS.values()))
    | {"post_nat_src_port", "post_nat_dst_port", "start_ms", "end_ms"}
) - _ADDRESSES
_MOST = float(1 << 46)  # as who stores records lets through: so the sum of a block is one of 63 bits


def pack_key(words: NDArray[np.uint64], width: int) -> bytes:
    """Return one key as the bytes that it is."""
    return pack_keys(words.reshape(1, -1), width)


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


def well_typed(columns: Columns) -> bool:
    """Return whether addresses are such, and numbers such: blocks of collectors are what these made of them."""
    return all(
        (columns[name].dtype.names is not None) == (name in _ADDRESSES)
        for name in columns.keys() & (_ADDRESSES | _NUMBERS)
    )


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
