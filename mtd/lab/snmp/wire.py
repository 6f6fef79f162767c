"""Messages of SNMP, versions 1 and 2c, as BER writes them."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Oid: TypeAlias = tuple[int, ...]

_INTEGER = 0x02
_OCTETS = 0x04
_NULL = 0x05
_OID = 0x06
_SEQUENCE = 0x30
_ADDRESS = 0x40
_TRAP_OF_V1 = 0xA4

V1 = 0
V2C = 1

NO_ERROR, TOO_BIG, NO_SUCH_NAME, READ_ONLY, GENERAL_ERROR, NOT_WRITABLE = 0, 1, 2, 4, 5, 17


class WireError(Exception):
    """A datagram that is no message of these versions."""


class Kind(enum.IntEnum):
    """What is asked, or answered."""

    GET = 0xA0
    GET_NEXT = 0xA1
    RESPONSE = 0xA2
    SET = 0xA3
    GET_BULK = 0xA5
    TRAP = 0xA7


class Tag(enum.IntEnum):
    """Kinds of values."""

    INTEGER = _INTEGER
    OCTETS = _OCTETS
    NULL = _NULL
    OID = _OID
    COUNTER32 = 0x41
    GAUGE32 = 0x42
    TICKS = 0x43
    COUNTER64 = 0x46
    NO_SUCH_OBJECT = 0x80
    NO_SUCH_INSTANCE = 0x81
    END_OF_VIEW = 0x82


@dataclass(frozen=True, slots=True)
class Value:
    """A value and what kind it is."""

    tag: Tag
    content: int | bytes | Oid | None = None

    def encode(self) -> bytes:
        """Return the value as BER."""
        if self.content is None:
            return bytes((self.tag, 0))
        if isinstance(self.content, bytes):
            return _tlv(self.tag, self.content)
        if isinstance(self.content, tuple):
            return _tlv(self.tag, _oid(self.content))
        return _tlv(self.tag, _integer(self.content))


NULL = Value(Tag.NULL)
Pair: TypeAlias = tuple[Oid, Value]


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer. In a GET_BULK, status and index are its two numbers."""

    version: int
    community: bytes
    kind: Kind
    request_id: int
    status: int
    index: int
    pairs: tuple[Pair, ...]

    def encode(self) -> bytes:
        """Return the message as it goes over the wire."""
        head = b"".join(
            _tlv(_INTEGER, _integer(number)) for number in (self.request_id, self.status, self.index)
        )
        pdu = _tlv(self.kind, head + _tlv(_SEQUENCE, _pairs(self.pairs)))
        return _tlv(_SEQUENCE, _tlv(_INTEGER, _integer(self.version)) + _tlv(_OCTETS, self.community) + pdu)


def trap_of_v1(
    community: bytes, enterprise: Oid, address: str, generic: int, ticks: int, pairs: tuple[Pair, ...]
) -> bytes:
    """Return a trap of version 1, which has a form of its own. ``address``: what the router calls its own."""
    pdu = _tlv(
        _TRAP_OF_V1,
        _tlv(_OID, _oid(enterprise))
        + _tlv(_ADDRESS, bytes(int(part) for part in address.split(".")))
        + _tlv(_INTEGER, _integer(generic))
        + _tlv(_INTEGER, _integer(0))
        + _tlv(Tag.TICKS, _integer(ticks))
        + _tlv(_SEQUENCE, _pairs(pairs)),
    )
    return _tlv(_SEQUENCE, _tlv(_INTEGER, _integer(V1)) + _tlv(_OCTETS, community) + pdu)


def _pairs(pairs: tuple[Pair, ...]) -> bytes:
    return b"".join(_tlv(_SEQUENCE, _tlv(_OID, _oid(oid)) + value.encode()) for oid, value in pairs)


def decode(data: bytes) -> Message:
    """Read a message. Raises `WireError`; of values only their absence is read."""
    try:
        return _decode(data)
    except (IndexError, ValueError) as error:
        raise WireError(str(error)) from error


def _decode(data: bytes) -> Message:
    version, community, (tag, pdu) = _parts(_only(data, _SEQUENCE))
    if _number(version) not in {V1, V2C}:
        raise WireError("another version")
    request_id, status, index, (listed, pairs) = _parts(pdu)
    if listed != _SEQUENCE:
        raise WireError("no list of objects")
    return Message(
        version=_number(version),
        community=_content(community, _OCTETS),
        kind=Kind(tag),
        request_id=_number(request_id),
        status=_number(status),
        index=_number(index),
        pairs=tuple(
            (_decode_oid(_content(next(_parts_of(pair)), _OID)), NULL) for _, pair in _parts_of(pairs)
        ),
    )


_Part: TypeAlias = tuple[int, bytes]


def _parts_of(data: bytes) -> Iterator[_Part]:
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise WireError("cut off")
        yield tag, data[at : at + length]
        at += length


def _parts(data: bytes) -> list[_Part]:
    return list(_parts_of(data))


def _only(data: bytes, tag: int) -> bytes:
    [part] = _parts(data)
    return _content(part, tag)


def _content(part: _Part, tag: int) -> bytes:
    if part[0] != tag:
        raise WireError(f"kind {part[0]:#x} instead of {tag:#x}")
    return part[1]


def _number(part: _Part) -> int:
    return int.from_bytes(_content(part, _INTEGER), "big", signed=True)


def _tlv(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def _integer(number: int) -> bytes:
    """Return a number in two's complement: one that isn't negative keeps a leading bit of 0."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)


def _oid(oid: Oid) -> bytes:
    content = bytearray((oid[0] * 40 + oid[1],))
    for number in oid[2:]:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | (number & 0x7F))
        content += bytes(reversed(groups))
    return bytes(content)


def _decode_oid(content: bytes) -> Oid:
    first, second = divmod(content[0], 40) if content[0] < 80 else (2, content[0] - 80)
    numbers = [first, second]
    number = 0
    for byte in content[1:]:
        number = number << 7 | (byte & 0x7F)
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    return tuple(numbers)
