"""BER as SNMP has it (RFC 3417, section 8): tags of one byte, and lengths that are told before.

Strict: what nothing of SNMP can be, is refused where it stands. Only lengths may be longer than they need be, as
many agents write them.
"""

from __future__ import annotations

from typing import TypeAlias

from mtd.codec.snmp.errors import NotSnmp

Oid: TypeAlias = tuple[int, ...]

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30

_MOST_LENGTH_BYTES = 4
_MOST_NUMBER_BYTES = 9  # 64 bits without a sign, and the byte that says so
_MOST_SUBIDS = 128
_MOST_SUBID = (1 << 32) - 1


class Reader:
    """Reads one value after the other, up to an end. Raises NotSnmp for what can't be read."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end

    @property
    def more(self) -> bool:
        """Whether there is something left."""
        return self.at < self.end

    def span(self) -> tuple[int, int, int]:
        """Pass the next value; return its tag, and where its content begins and ends."""
        data, at, end = self.data, self.at, self.end
        if at + 2 > end:
            raise NotSnmp("cut off")
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            if not 1 <= size <= _MOST_LENGTH_BYTES:
                raise NotSnmp("impossible length")
            length = int.from_bytes(data[at : min(at + size, end)], "big")
            at += size
        if at + length > end:
            raise NotSnmp("cut off")
        self.at = at + length
        return tag, at, self.at

    def span_of(self, tag: int) -> tuple[int, int]:
        """Pass the next value, which has a tag; return where its content begins and ends."""
        found, start, end = self.span()
        if found != tag:
            raise NotSnmp("another kind of value")
        return start, end

    def content(self, tag: int) -> bytes:
        """Return the content of the next value, which has a tag."""
        start, end = self.span_of(tag)
        return self.data[start:end]

    def inside(self, tag: int) -> Reader:
        """Return a reader of what is inside the next value, which has a tag."""
        start, end = self.span_of(tag)
        return Reader(self.data, start, end)

    def number(self) -> int:
        """Return the next value, an INTEGER."""
        return signed(self.content(INTEGER))

    def oid(self) -> Oid:
        """Return the next value, an object identifier."""
        return read_oid(self.content(OID))

    def done(self) -> None:
        """Make sure that there is nothing left."""
        if self.more:
            raise NotSnmp("something behind the end")


def signed(content: bytes) -> int:
    """Return the number that a content is."""
    if not 1 <= len(content) <= _MOST_NUMBER_BYTES:
        raise NotSnmp("impossible number")
    return int.from_bytes(content, "big", signed=True)


def unsigned(content: bytes, most: int) -> int:
    """Return the number that a content is, of a kind without sign: some agents forget the byte that says so."""
    found = int.from_bytes(content, "big")
    if not 1 <= len(content) <= _MOST_NUMBER_BYTES or found > most:
        raise NotSnmp("impossible number")
    return found


def read_oid(content: bytes) -> Oid:
    """Return the object identifier that a content is."""
    if not content or content[-1] & 0x80:
        raise NotSnmp("impossible object identifier")
    found: list[int] = []
    one = 0
    for byte in content:
        one = one << 7 | byte & 0x7F
        if one > _MOST_SUBID + 80:  # the first stands for two
            raise NotSnmp("impossible object identifier")
        if not byte & 0x80:
            found.append(one)
            one = 0
    if len(found) >= _MOST_SUBIDS or any(late > _MOST_SUBID for late in found[1:]):
        raise NotSnmp("impossible object identifier")
    arc = min(found[0] // 40, 2)
    return (arc, found[0] - 40 * arc, *found[1:])


# -- writing ------------------------------------------------------------------


def tlv(tag: int, *contents: bytes) -> bytes:
    """Return a value: its tag, its length, and its content."""
    content = b"".join(contents)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def number(value: int) -> bytes:
    """Return the content that a number has, of whichever kind: one that isn't negative keeps a leading bit of 0."""
    length = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return value.to_bytes(length, "big", signed=True)


def integer(value: int) -> bytes:
    """Return a number as an INTEGER."""
    return tlv(INTEGER, number(value))


def octets(content: bytes) -> bytes:
    """Return bytes as an OCTET STRING."""
    return tlv(OCTETS, content)


def oid(numbers: Oid) -> bytes:
    """Return an object identifier."""
    content = bytearray()
    for one in (numbers[0] * 40 + numbers[1], *numbers[2:]):
        groups = [one & 0x7F]
        rest = one >> 7
        while rest:
            groups.append(0x80 | rest & 0x7F)
            rest >>= 7
        content += bytes(reversed(groups))
    return tlv(OID, bytes(content))
