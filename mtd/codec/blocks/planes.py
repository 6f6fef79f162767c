"""Unsigned integers as planes of bytes, each compressed by itself.

The lowest bits of a noisy counter are noise, its highest nearly constant: one
table of codes for both would suit neither. What doesn't shrink stays as it is.
"""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import zstandard
from numpy.typing import NDArray

_LEVEL = 3
_SHORT = 40  # so few that codes cost more than they save
_EVEN, _PLAIN, _ZSTD = 0, 1, 2


class Damaged(Exception):
    """Bytes that this package didn't write, or not all of them."""


class _Zstd(threading.local):
    """Contexts are costly to make and not to be shared by threads."""

    def __init__(self) -> None:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            _LEVEL,
            # Tables made for an hour of seconds: those for long files cost more than the hour.
            source_size=3600,
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=False,
            write_checksum=False,
            write_dict_id=False,
        )
        self.compress = zstandard.ZstdCompressor(compression_params=parameters).compress
        self.decompress = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS).decompress
        self.parameters = partial(zstandard.get_frame_parameters, format=zstandard.FORMAT_ZSTD1_MAGICLESS)


_zstd = _Zstd()


def pack_varint(value: int) -> bytes:
    """Return a number that isn't negative, seven bits to a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def unpack_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a place, and the place after it."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Damaged("a number doesn't end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def pack_bytes(plane: NDArray[np.uint8]) -> bytes:
    """Return bytes in the shortest way; their number has to be known to read them."""
    highest = int(plane.max()) if len(plane) else 0
    if highest == (int(plane.min()) if len(plane) else 0):
        return bytes((_EVEN, highest))
    if len(plane) < _SHORT:
        bits = 8 if highest > 15 else 4 if highest > 3 else 2 if highest > 1 else 1
        if bits == 8:
            return bytes((_PLAIN,)) + plane.tobytes()
        return bytes((_PLAIN | bits << 4,)) + _joined(plane, bits).tobytes()
    way, data = _shortest(plane.tobytes())
    if highest < 16:
        # Several to a byte: no code for single values is shorter than a bit, and most are 0.
        bits = 1 if highest < 2 else 2 if highest < 4 else 4
        other, shorter = _shortest(_joined(plane, bits).tobytes())
        if len(shorter) < len(data):
            way, data = other | bits << 4, shorter
    return bytes((way,)) + data


def unpack_bytes(data: bytes, at: int, length: int) -> tuple[NDArray[np.uint8], int]:
    """Return so many bytes packed at a place, and the place after them."""
    if at + 2 > len(data):
        raise Damaged("a plane is cut off")
    way, bits = data[at] & 15, data[at] >> 4
    at += 1
    if way == _EVEN:
        return np.full(length, data[at], dtype=np.uint8), at + 1
    if bits not in (0, 1, 2, 4):
        raise Damaged("an unknown width of bits")
    size = (length * bits + 7) // 8 if bits else length
    if way == _PLAIN:
        end = at + size
        plane = data[at:end]
    elif way == _ZSTD:
        compressed, at = unpack_varint(data, at)
        end = at + compressed
        frame = data[at:end]
        try:
            # Ours don't say how much they hold. A damaged one may say anything, and room would be made for it.
            if _zstd.parameters(frame).content_size != zstandard.CONTENTSIZE_UNKNOWN:
                raise Damaged("a plane that says how long it is")
            plane = _zstd.decompress(frame, max_output_size=size)
        except zstandard.ZstdError as error:
            raise Damaged(str(error)) from error
    else:
        raise Damaged("an unknown way of packing")
    if len(plane) != size or end > len(data):
        raise Damaged("a plane is cut off")
    values = np.frombuffer(plane, dtype=np.uint8)
    return (_split(values, bits)[:length] if bits else values), end


def _shortest(data: bytes) -> tuple[int, bytes]:
    compressed = _zstd.compress(data)
    if len(compressed) + 2 < len(data):
        return _ZSTD, pack_varint(len(compressed)) + compressed
    return _PLAIN, data


def _joined(values: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Return values of so many bits, several to a byte, the first lowest."""
    if bits == 1:
        return np.packbits(values, bitorder="little")
    each = 8 // bits
    padded = np.zeros((len(values) + each - 1) // each * each, dtype=np.uint8)
    padded[: len(values)] = values
    joined = padded[::each].copy()
    for place in range(1, each):
        joined |= padded[place::each] << np.uint8(bits * place)
    return joined


def _split(joined: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    if bits == 1:
        return np.unpackbits(joined, bitorder="little")
    each = 8 // bits
    mask = np.uint8((1 << bits) - 1)
    values = np.empty((len(joined), each), dtype=np.uint8)
    for place in range(each):
        values[:, place] = (joined >> np.uint8(bits * place)) & mask
    return values.reshape(-1)


def pack_planes(values: NDArray[np.uint64], low_bits: int) -> bytes:
    """Return numbers as planes: ``low_bits`` (0 to 7) as they are, the bytes above each by itself."""
    upper = values >> np.uint64(low_bits) if low_bits else values
    count = (int(upper.max()).bit_length() + 7) // 8 if len(upper) else 0
    parts = [bytes((count << 3 | low_bits,))]
    if low_bits:
        parts.append(_pack_low(values, low_bits))
    columns = np.ascontiguousarray(upper).view(np.uint8).reshape(-1, 8)
    parts += [pack_bytes(np.ascontiguousarray(columns[:, place])) for place in range(count)]
    return b"".join(parts)


def unpack_planes(data: bytes, at: int, length: int) -> tuple[NDArray[np.uint64], int]:
    """Return so many numbers packed at a place, and the place after them."""
    if at >= len(data):
        raise Damaged("planes are cut off")
    count, low_bits = data[at] >> 3, data[at] & 7
    at += 1
    low = None
    if low_bits:
        low, at = _unpack_low(data, at, length, low_bits)
    if count > 8:
        raise Damaged("more planes than 64 bits have")
    columns = np.zeros((length, 8), dtype=np.uint8)
    for place in range(count):
        columns[:, place], at = unpack_bytes(data, at, length)
    values = columns.view(np.uint64).reshape(length)
    if low is not None:
        values <<= np.uint64(low_bits)
        values |= low
    return values, at


def _pack_low(values: NDArray[np.uint64], count: int) -> bytes:
    """Return so many of the lowest bits of each value, as they are: four, two and one at a time."""
    low = values.astype(np.uint8)
    parts = []
    for bits in (1, 2, 4):
        if count & bits:
            parts.append(_joined(low & np.uint8((1 << bits) - 1), bits).tobytes())
            low >>= np.uint8(bits)
    return b"".join(parts)


def _unpack_low(data: bytes, at: int, length: int, count: int) -> tuple[NDArray[np.uint8], int]:
    low = np.zeros(length, dtype=np.uint8)
    shift = 0
    for bits in (1, 2, 4):
        if count & bits:
            end = at + (length * bits + 7) // 8
            if end > len(data):
                raise Damaged("low bits are cut off")
            part = _split(np.frombuffer(data[at:end], dtype=np.uint8), bits)[:length]
            low |= part << np.uint8(shift)
            at, shift = end, shift + bits
    return low, at
