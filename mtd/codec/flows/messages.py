"""NetFlow v5, v9 and IPFIX: a datagram's header, and the sets in it, in their order.

Nothing is decoded here but templates: records stay bytes, for all of a template to be read at once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from mtd.codec.flows.errors import NotFlows, refuse_long
from mtd.codec.flows.templates import MAX_FIELDS, Field, Template

V5, V9, IPFIX = 5, 9, 10
MOST_V5_RECORDS = 30
_V5_HEADER = struct.Struct(">HHIIIIBBH")
_V9_HEADER = struct.Struct(">HHIIII")
_IPFIX_HEADER = struct.Struct(">HHIII")
_PAIR = struct.Struct(">HH")
_TRIPLE = struct.Struct(">HHH")
_ENTERPRISE = struct.Struct(">I")
FIRST_DATA_SET = 256
_TEMPLATES = {V9: (0, 1), IPFIX: (2, 3)}  # numbers of the sets of templates, and of options templates
V5_SAMPLING = 0x3FFF
_WITHDRAW_ALL = frozenset({2, 3})

V5_TEMPLATE = Template(
    V5,
    tuple(
        Field(element, length)
        for element, length in (
            (8, 4), (12, 4), (15, 4), (10, 2), (14, 2), (2, 4), (1, 4), (22, 4), (21, 4), (7, 2), (11, 2),
            (210, 1), (6, 1), (4, 1), (5, 1), (16, 2), (17, 2), (9, 1), (13, 1), (210, 2),
        )
    ),
)  # fmt: skip
"""Version 5 has no templates: this is its record."""
V5_HEADER_BYTES = _V5_HEADER.size
V5_RECORD_BYTES = sum(field.length for field in V5_TEMPLATE.fields)


class Header(NamedTuple):
    """``domain``: v9's source id, IPFIX's observation domain, v5's engine.

    ``sequence`` counts flows in v5, messages in v9, data records in IPFIX. ``uptime_ms``: how long the exporter
    runs; None in IPFIX. ``sampling``: v5's interval; 0 where it isn't told.
    """

    version: int
    domain: int
    sequence: int
    exported_ms: int
    uptime_ms: int | None
    sampling: int = 0

    @property
    def exported_s(self) -> int:
        """When it was sent, by the exporter's clock, in whole seconds."""
        return self.exported_ms // 1000


class Records(NamedTuple):
    """The records of one set, with what may be padding behind them."""

    template: int
    data: bytes


class Withdrawn(NamedTuple):
    """A template that holds no more; ``template`` is 2 or 3 for all of that kind (RFC 7011, 8.1)."""

    template: int


Item: TypeAlias = Template | Withdrawn | Records


def header_of(datagram: bytes) -> Header:
    """Return the header. Raises NotFlows."""
    refuse_long(datagram)
    if len(datagram) < 2:
        raise NotFlows("too short")
    version = int.from_bytes(datagram[:2], "big")
    try:
        if version == V9:
            _, _, uptime, seconds, sequence, source = _V9_HEADER.unpack_from(datagram)
            return Header(V9, source, sequence, seconds * 1000, uptime)
        if version == IPFIX:
            _, _, seconds, sequence, domain = _IPFIX_HEADER.unpack_from(datagram)
            return Header(IPFIX, domain, sequence, seconds * 1000, None)
        if version == V5:
            _, _, uptime, seconds, nanos, sequence, kind, engine, sampling = _V5_HEADER.unpack_from(datagram)
            exported_ms = seconds * 1000 + nanos // 1_000_000
            return Header(V5, kind << 8 | engine, sequence, exported_ms, uptime, sampling & V5_SAMPLING)
    except struct.error:
        raise NotFlows("header cut off") from None
    raise NotFlows("unknown version")


def items_of(datagram: bytes, header: Header) -> Iterator[Item]:
    """Yield what is in a datagram. Raises NotFlows where it can't be read on; what came before that is good."""
    if header.version == V5:
        yield from _v5(datagram)
        return
    begin, end = (20, len(datagram)) if header.version == V9 else (16, _ipfix_end(datagram))
    templates, options = _TEMPLATES[header.version]
    while end - begin >= _PAIR.size:
        number, length = _PAIR.unpack_from(datagram, begin)
        if length < _PAIR.size:
            if not any(datagram[begin:end]):
                return  # padding at the end
            raise NotFlows("set without length")
        if begin + length > end:
            raise NotFlows("set cut off")
        body = datagram[begin + _PAIR.size : begin + length]
        if number >= FIRST_DATA_SET:
            yield Records(number, body)
        elif number in (templates, options):
            told, wrong = (_told_again if len(body) <= _MOST_TOLD_AGAIN_BYTES else _told)(
                body, header.version, number == options
            )
            yield from told
            if wrong:
                raise NotFlows(wrong)
        begin += length
    if any(datagram[begin:end]):
        raise NotFlows("set cut off")


def _v5(datagram: bytes) -> Iterator[Item]:
    count = int.from_bytes(datagram[2:4], "big")
    if not 0 < count <= MOST_V5_RECORDS:
        raise NotFlows("impossible number of records")
    there = (len(datagram) - V5_HEADER_BYTES) // V5_RECORD_BYTES
    if there:
        yield Records(V5, datagram[V5_HEADER_BYTES : V5_HEADER_BYTES + min(count, there) * V5_RECORD_BYTES])
    if there < count:
        raise NotFlows("record cut off")


def _ipfix_end(datagram: bytes) -> int:
    length = int.from_bytes(datagram[2:4], "big")
    if not _IPFIX_HEADER.size <= length <= len(datagram):
        raise NotFlows("message cut off")
    return length


def _told(body: bytes, version: int, options: bool) -> tuple[Sequence[Template | Withdrawn], str]:
    """Return the templates of a set, and why it can't be read on behind them; empty if it was read to its end."""
    found: list[Template | Withdrawn] = []
    try:
        if not options:
            found.extend(_templates(body, version))
        else:
            found.extend(_v9_options(body) if version == V9 else _ipfix_options(body))
    except NotFlows as wrong:
        return found, wrong.reason
    return found, ""


# Exporters tell the same templates again after each few messages, which cost more to read than what is between.
_told_again = lru_cache(maxsize=256)(_told)
_MOST_TOLD_AGAIN_BYTES = 512


def _templates(body: bytes, version: int) -> Iterator[Template | Withdrawn]:
    position = 0
    while len(body) - position >= _PAIR.size:
        number, count = _PAIR.unpack_from(body, position)
        if number < FIRST_DATA_SET and not (version == IPFIX and number in _WITHDRAW_ALL and not count):
            if not any(body[position:]):
                return  # padding
            raise NotFlows("impossible template number")
        position += _PAIR.size
        if not count and version == IPFIX:
            yield Withdrawn(number)
            continue
        fields, position = _fields(body, position, count, version)
        yield Template(number, fields)


def _ipfix_options(body: bytes) -> Iterator[Template | Withdrawn]:
    position = 0
    while len(body) - position >= _PAIR.size:
        number, count = _PAIR.unpack_from(body, position)
        if number < FIRST_DATA_SET and not (number in _WITHDRAW_ALL and not count):
            if not any(body[position:]):
                return
            raise NotFlows("impossible template number")
        position += _PAIR.size
        if not count:
            yield Withdrawn(number)
            continue
        if position + 2 > len(body):
            raise NotFlows("template cut off")
        scopes = int.from_bytes(body[position : position + 2], "big")
        fields, position = _fields(body, position + 2, count, IPFIX)
        if not 0 < scopes <= count:
            raise NotFlows("options template without scope")
        yield Template(number, fields, scopes)


def _v9_options(body: bytes) -> Iterator[Template]:
    position = 0
    while len(body) - position >= _TRIPLE.size:
        number, scope_bytes, option_bytes = _TRIPLE.unpack_from(body, position)
        if number < FIRST_DATA_SET:
            if not any(body[position:]):
                return
            raise NotFlows("impossible template number")
        scopes, options = scope_bytes // _PAIR.size, option_bytes // _PAIR.size
        scope, position = _fields(body, position + _TRIPLE.size, scopes, V9)
        fields, position = _fields(body, position, options, V9)
        # A scope's type is no element: "interface" is 2, as packets are. Read as some enterprise's, it is skipped.
        about = tuple(Field(field.element, field.length, enterprise=1) for field in scope)
        yield Template(number, about + fields, max(scopes, 1))


def _fields(body: bytes, position: int, count: int, version: int) -> tuple[tuple[Field, ...], int]:
    if count > MAX_FIELDS:
        raise NotFlows("template with too many fields")
    found = []
    for _ in range(count):
        if position + _PAIR.size > len(body):
            raise NotFlows("template cut off")
        element, length = _PAIR.unpack_from(body, position)
        position += _PAIR.size
        enterprise = 0
        if version == IPFIX and element & 0x8000:
            if position + _ENTERPRISE.size > len(body):
                raise NotFlows("template cut off")
            (enterprise,) = _ENTERPRISE.unpack_from(body, position)
            position += _ENTERPRISE.size
            element &= 0x7FFF
        found.append(Field(element, length, enterprise))
    return tuple(found), position
