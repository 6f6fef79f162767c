"""The blocks of one minute of one exporter, summed up by each dimension. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.planes import Damaged
from mtd.codec.flows.block import decode_block
from mtd.codec.flows.tally import Words, summed
from mtd.flowsums.tally import KEPT, MOST, NOTHING, Amounts, Sums, Tally, Volume, product
from mtd.model.flows import DIMENSIONS, Dimension

TOTAL = "total"

_AMOUNTS = ("octets", "packets", "sampling")
_WANTED = frozenset(_AMOUNTS).union(*(one.columns for one in DIMENSIONS.values()))
_MOST_SAMPLING = np.uint64(2**32 - 1)


class MinuteTally:
    """What the blocks of a minute add up to, added one by one."""

    def __init__(self) -> None:
        self._whole = NOTHING
        self._read = NOTHING
        self._tallies = {name: Tally(one) for name, one in DIMENSIONS.items() if one.columns}

    def add(self, told: Volume, block: bytes) -> bool:
        """Add a block; return whether its records are what was told of it.

        The total is that of what was told, always. Raises Damaged if the block can't be read: then it is in the
        total only. Raises TooMuch if the minute is more than is kept.
        """
        self._whole += told
        self._whole.check()
        count, columns = decode_block(block, _WANTED)
        amounts = _estimated(count, columns)
        keys = {name: keys_of(columns, DIMENSIONS[name]) for name in self._tallies}
        found = amounts.volume
        self._read += found
        self._read.check()
        for name, some in keys.items():
            if some is not None:
                _add(self._tallies[name], DIMENSIONS[name], some, amounts)
        return found == told

    def sums(self, kept: int = KEPT) -> Iterator[tuple[str, Sums]]:
        """Yield the sums of each dimension that some record has, with so many keys; none at all without blocks."""
        if self._whole.flows:
            yield TOTAL, total_of(self._whole)
        for name, tally in self._tallies.items():
            sums = tally.largest(kept)
            if sums is not None:
                yield name, sums


def total_of(volume: Volume) -> Sums:
    """Return the sum of all records, which has one key, of no bytes."""
    amounts = Amounts(
        *(np.array([value], np.int64) for value in (volume.octets, volume.packets, volume.flows))
    )
    return Sums(b"", amounts, 0, NOTHING)


def keys_of(columns: Mapping[str, NDArray[Any]], dimension: Dimension) -> Words | None:
    """Return the keys of records; None if the block lacks a column for them. Raises Damaged for what can't be keys."""
    words: list[NDArray[np.uint64]] = []
    for name in dimension.columns:
        column = columns.get(name)
        if column is None:
            return None
        if dimension.width < 16:
            words.append(_numbers(columns, name, len(column)))
        elif column.dtype.names is None:
            raise Damaged(f"{name} of flow records is no address")
        else:
            words += [column["high"].astype(np.uint64), column["low"].astype(np.uint64)]
    return np.stack(words, axis=1)


def _add(tally: Tally, dimension: Dimension, keys: Words, amounts: Amounts) -> None:
    if dimension.width < 8:
        # An exporter may send wider fields than such a number has.
        outsized = keys[:, 0] >> np.uint64(8 * dimension.width) > 0
        if outsized.any():
            tally.add_others(amounts[outsized].volume, len(np.unique(keys[:, 0])))
            keys, amounts = keys[~outsized], amounts[~outsized]
    if len(keys):
        tally.add(summed(amounts.of(keys)))


def _estimated(count: int, columns: Mapping[str, NDArray[Any]]) -> Amounts:
    """Return what records stand for: what they say, times their sampling. Raises Damaged beyond what is kept."""
    octets, packets, sampling = (_numbers(columns, name, count) for name in _AMOUNTS)
    if sampling.max() > _MOST_SAMPLING:
        raise Damaged("a sampling of more than 32 bits")
    factors = np.maximum(sampling, np.uint64(1))
    for numbers in (octets, packets):
        # Here, not from what comes out: that would be wrapped around.
        if product(numbers, factors) > MOST:
            raise Damaged("a block of flows with more octets or packets than can be")
    return Amounts(
        (octets * factors).astype(np.int64), (packets * factors).astype(np.int64), np.ones(count, np.int64)
    )


def _numbers(columns: Mapping[str, NDArray[Any]], name: str, count: int) -> NDArray[np.uint64]:
    """Return a column of numbers; 0 each where the exporter doesn't tell it: what isn't told adds nothing."""
    column = columns.get(name)
    if column is None:
        return np.zeros(count, np.uint64)
    if column.dtype.names is not None:
        raise Damaged(f"{name} of flow records is no number")
    return column.astype(np.uint64)
