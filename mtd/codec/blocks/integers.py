"""Any 64-bit integers as few bytes.

Values, their changes, or the changes of their changes, whichever take the
fewest bits; less what is in the middle of them, or the lowest; small whichever
their sign; without the zeros all of them end with; as planes of bytes. All arithmetic is
modulo 2^64, so that nothing can overflow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtd.codec.blocks.planes import Damaged, pack_planes, pack_varint, unpack_planes, unpack_varint

__all__ = ["Damaged", "pack", "unpack_from"]

_ORDERS = 3
_SHIFTED, _UNFOLDED = 4, 8  # flags beside the order in the first byte
_MASK = (1 << 64) - 1
_SAMPLE = 400
_NOISE = 0.998  # more bits than so many values take are rare
_SHORT_BITS = 6
_FEW = 0.15
_NEAR = 1.4
_FEW_VALUES = 500  # trying costs more than it saves
_CODED = 40
_NO_PLANES = b"\0"


@dataclass(slots=True, eq=False)
class _Residue:
    """What is left of values when as many bits as possible are gone."""

    order: int
    firsts: tuple[int, ...]
    changes: NDArray[np.int64]
    middle: int
    zeros: int
    folded: NDArray[np.uint64]
    lengths: NDArray[np.intp]  # how many have so many bits
    bits: int


def pack(values: NDArray[np.int64], orders: int = _ORDERS) -> bytes:
    """Return the integers as bytes that tell where they end, given how many they are.

    ``orders`` is 1 where changes would be larger than values, 2 where only changes of changes would.
    """
    if len(values) < _FEW_VALUES:
        return _pack_few(values, orders)
    changes = values
    found: list[_Residue] = []
    firsts: tuple[int, ...] = ()
    for order in range(min(orders, max(len(values), 1))):
        if order:
            firsts += (int(changes[0]),)
            changes = changes[1:] - changes[:-1]
        if not len(changes) or (changes == changes[0]).all():
            return _even(order, firsts, changes)
        found.append(_residue(order, firsts, changes))
    best = min(found, key=lambda residue: residue.bits)
    low_bits = _low_bits(best)
    if low_bits is not None:
        return _packed(best, best.middle, best.folded, 0, low_bits)
    # Not noise: only trying tells.
    near = [residue for residue in found if residue.bits <= _NEAR * best.bits]
    return min((way for residue in near for way in _tried(residue)), key=len)


def unpack_from(data: bytes, at: int, length: int) -> tuple[NDArray[np.int64], int]:
    """Return so many integers packed at a place, and the place after them.

    Raises:
        Damaged: There are no such integers.
    """
    if at >= len(data):
        raise Damaged("integers are cut off")
    order, flags = data[at] & 3, data[at] & ~3
    at += 1
    if order >= _ORDERS or order >= max(length, 1) or flags & ~(_SHIFTED | _UNFOLDED):
        raise Damaged("an unknown order")
    zeros = 0
    if flags & _SHIFTED:
        zeros, at = unpack_varint(data, at)
    numbers = []
    for _ in range(order + 1):
        number, at = unpack_varint(data, at)
        numbers.append(_unfold(number))
    *firsts, middle = numbers
    if not order and data[at : at + 1] == _NO_PLANES:
        return np.full(length, middle, dtype=np.int64), at + 1
    folded, at = unpack_planes(data, at, length - order)
    values = np.empty(length, dtype=np.int64)
    rest = values[order:]
    if flags & _UNFOLDED:
        rest[:] = folded.view(np.int64)
    else:
        # (n >> 1) ^ -(n & 1)
        np.bitwise_and(folded, np.uint64(1), out=rest.view(np.uint64))
        np.negative(rest, out=rest)
        folded >>= np.uint64(1)
        rest ^= folded.view(np.int64)
    if zeros:
        rest <<= min(zeros, 63)
    if middle:
        rest += middle
    for place in reversed(range(order)):
        values[place] = firsts[place]
        np.cumsum(values[place:], out=values[place:])
    return values, at


def _pack_few(values: NDArray[np.int64], orders: int) -> bytes:
    """Return the integers quickly: upwards from the lowest, whichever order lies closest together."""
    changes = values
    firsts: tuple[int, ...] = ()
    best: tuple[float, int, tuple[int, ...], NDArray[np.int64]] | None = None
    for order in range(min(orders, max(len(values), 1))):
        if order:
            firsts += (int(changes[0]),)
            changes = changes[1:] - changes[:-1]
        if not len(changes):
            return _even(order, firsts, changes)
        lowest = int(changes.min())
        upwards = changes - lowest
        if not upwards.any():
            return _even(order, firsts, changes)
        spread = float(np.abs(upwards - upwards[len(upwards) // 2]).sum(dtype=np.float64))
        if best is None or spread < best[0]:
            best = spread, order, (*firsts, lowest), upwards
    assert best is not None
    _, order, starts, upwards = best
    union = int(np.bitwise_or.reduce(upwards))
    zeros = (union & -union).bit_length() - 1
    numbers = upwards.view(np.uint64) >> np.uint64(zeros)
    low_bits = int(numbers.max()).bit_length() % 8
    if low_bits and len(numbers) >= _CODED:
        # Bits of noise are best left alone, but what is mostly small has codes.
        low_bits *= 2 * int(np.count_nonzero(numbers >> np.uint64(low_bits))) >= len(numbers)
    return _head(order, starts, zeros, _UNFOLDED) + pack_planes(numbers, low_bits)


def _even(order: int, firsts: tuple[int, ...], changes: NDArray[np.int64]) -> bytes:
    return _head(order, (*firsts, int(changes[0]) if len(changes) else 0), 0, 0) + _NO_PLANES


def _residue(order: int, firsts: tuple[int, ...], changes: NDArray[np.int64]) -> _Residue:
    # About the middle will do; a partition of all takes long where most are equal.
    sample = np.sort(changes[:: len(changes) // _SAMPLE + 1])
    middle = int(sample[len(sample) // 2])
    rest, zeros = _shifted(changes - middle if middle else changes)
    folded = ((rest << 1) ^ (rest >> 63)).view(np.uint64)
    lengths = np.bincount(np.frexp(folded.astype(np.float64))[1], minlength=1)
    bits = int(lengths @ np.arange(len(lengths)))
    return _Residue(order, firsts, changes, middle, zeros, folded, lengths, bits)


def _shifted(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Return the values without the zero bits that all end with, and how many those are."""
    union = int(np.bitwise_or.reduce(values))
    zeros = (union & -union).bit_length() - 1 if union else 0
    return (values >> zeros if zeros else values), zeros


def _tried(residue: _Residue) -> Iterator[bytes]:
    yield _packed(residue, residue.middle, residue.folded, 0, 0)
    # Upwards from the lowest no value needs a sign.
    lowest = int(residue.changes.min())
    upwards = (residue.changes - lowest).view(np.uint64)
    upwards >>= np.uint64(residue.zeros)
    yield _packed(residue, lowest, upwards, _UNFOLDED, 0)


def _packed(residue: _Residue, start: int, numbers: NDArray[np.uint64], flags: int, low_bits: int) -> bytes:
    head = _head(residue.order, (*residue.firsts, start), residue.zeros, flags)
    return head + pack_planes(numbers, low_bits)


def _head(order: int, starts: tuple[int, ...], zeros: int, flags: int) -> bytes:
    first = bytes((order | flags | _SHIFTED,)) + pack_varint(zeros) if zeros else bytes((order | flags,))
    return first + b"".join(pack_varint(_fold(number)) for number in starts)


def _low_bits(residue: _Residue) -> int | None:
    """Return how many of the lowest bits are kept apart, so that the byte above holds what can be saved.

    None: the values don't look like noise, of which all low bits are.
    """
    lengths = residue.lengths
    count = len(residue.folded)
    usual = int(np.searchsorted(np.cumsum(lengths), _NOISE * count))
    if int(lengths[: max(usual - _SHORT_BITS, 0) + 1].sum()) > _FEW * count or usual < 8:
        return None
    return usual % 8


def _fold(number: int) -> int:
    return (number << 1 ^ number >> 63) & _MASK


def _unfold(number: int) -> int:
    return number >> 1 ^ -(number & 1)
