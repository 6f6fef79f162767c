"""Templates, and records read by them: NumPy does all records of a template at once.

A template is compiled once to a structured dtype in which the fields that are known have their places; the
others are gaps. Records with fields of variable length (IPFIX) are walked one by one, and their known
fields copied into such an array: from there on there is no difference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtd.codec.flows.columns import of_bytes, of_ipv4, of_ipv6
from mtd.codec.flows.elements import ELEMENTS, END, START, Element, Kind
from mtd.codec.flows.errors import NotFlows

VARIABLE = 0xFFFF
MAX_FIELDS = 256
_NTP_EPOCH_S = 2_208_988_800  # from 1900 to 1970
_PLAIN = frozenset({1, 2, 4, 8})
_WIDE = 8
_LENGTHS = {Kind.IPV4: 4, Kind.IPV6: 16, Kind.MAC: 6, Kind.NTP: 8}
DURATION = "duration_ms"


@dataclass(frozen=True, slots=True)
class Field:
    """``enterprise``: whose element it is; 0: IANA's."""

    element: int
    length: int
    enterprise: int = 0


@dataclass(frozen=True, slots=True)
class Template:
    """``scopes``: how many of the fields, from the first, tell what an options record is about; 0 for flows."""

    number: int
    fields: tuple[Field, ...]
    scopes: int = 0

    def __post_init__(self) -> None:
        """Raises NotFlows if no record of it could be read."""
        if not self.fields or len(self.fields) > MAX_FIELDS:
            raise NotFlows("template without fields" if not self.fields else "template with too many fields")
        if not any(field.length for field in self.fields):
            raise NotFlows("template without length")


@dataclass(frozen=True, slots=True)
class _Known:
    """A field that becomes a column. ``place``: among the fields.

    ``others``: where NumPy has no number of its length it is read as one of eight bytes, of which so many belong to what
    is before it; or behind it, if negative. 0: it is read by itself.
    """

    column: str
    kind: Kind
    offset: int
    length: int
    place: int
    others: int = 0


class RecordFormat:
    """A template, compiled. ``size``: bytes of a record, at least that if it is ``variable``."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.variable = any(field.length == VARIABLE for field in template.fields)
        self.size = sum(1 if field.length == VARIABLE else field.length for field in template.fields)

    # Compiled when there are records: a datagram can hold thousands of templates that nobody uses.
    @cached_property
    def _known(self) -> list[_Known]:
        return _known_of(self.template)

    @cached_property
    def _dtype(self) -> np.dtype[Any]:
        offsets, place = [], 0
        for one in self._known:
            offsets.append(place if self.variable else one.offset - max(one.others, 0))
            place += one.length
        return np.dtype(
            {
                "names": [one.column for one in self._known],
                "formats": [_wire_type(one) for one in self._known],
                "offsets": offsets,
                "itemsize": max(place, 1) if self.variable else self.size,
            }
        )

    def records(self, data: bytes) -> tuple[bytes, int]:
        """Return the records of a set as NumPy can read them, and how many there are. Raises NotFlows.

        What is left over is padding, which is shorter than a record.
        """
        if not self.variable:
            count, padding = divmod(len(data), self.size)
            return (data[:-padding] if padding else data), count
        known = {one.place: one for one in self._known}
        rows: list[bytes] = []
        position = 0
        while len(data) - position >= self.size:
            row = bytearray()
            for place, field in enumerate(self.template.fields):
                length = field.length
                if length == VARIABLE:
                    position, length = _variable(data, position)
                if position + length > len(data):
                    raise NotFlows("record cut off")
                if place in known:
                    row += data[position : position + length]
                position += length
            rows.append(bytes(row) or b"\0")
        return b"".join(rows), len(rows)

    def read(
        self, data: bytes, exported_ms: NDArray[np.int64], uptime_ms: NDArray[np.int64] | None
    ) -> dict[str, NDArray[Any]]:
        """Return the columns of records. ``exported_ms`` and ``uptime_ms`` are of each record's message."""
        rows = np.frombuffer(data, self._dtype)
        found: dict[str, NDArray[Any]] = {}
        since_start: dict[str, NDArray[np.uint32]] = {}
        for one in self._known:
            raw = rows[one.column]
            if one.kind is Kind.UPTIME_MS:
                since_start[one.column] = _number(one, raw).astype(np.uint32, copy=False)
            else:
                found[one.column] = _read(one, raw, exported_ms)
        if since_start:
            _place_in_time(found, since_start, exported_ms, uptime_ms)
        if START in found and END in found:
            found[DURATION] = found[END] - found[START]
        return found


def _known_of(template: Template) -> list[_Known]:
    """Return the fields that become columns: the first of those with the same column counts."""
    known: dict[str, _Known] = {}
    offset = 0
    for place, field in enumerate(template.fields):
        element = ELEMENTS.get(field.element) if not field.enterprise else None
        if element is not None and element.column not in known and _readable(element, field.length):
            known[element.column] = _Known(element.column, element.kind, offset, field.length, place)
        offset += field.length
    if any(field.length == VARIABLE for field in template.fields):
        return list(known.values())
    return [replace(one, others=_others(one, offset)) for one in known.values()]


def _others(one: _Known, size: int) -> int:
    spare = _WIDE - one.length
    if one.kind is Kind.IPV6 or one.length in _PLAIN:
        return 0
    return spare if one.offset >= spare else -spare if one.offset + _WIDE <= size else 0


def _readable(element: Element, length: int) -> bool:
    wanted = _LENGTHS.get(element.kind)
    return length == wanted if wanted is not None else 1 <= length <= 8


def _wire_type(one: _Known) -> Any:
    if one.kind is Kind.IPV6:
        return (">u8", (2,))
    if one.others:
        return f">u{_WIDE}"
    return f">u{one.length}" if one.length in _PLAIN else ("u1", (one.length,))


def _number(one: _Known, raw: NDArray[Any]) -> NDArray[Any]:
    """Return what was sent as unsigned numbers of this machine."""
    if raw.ndim == 2:
        return of_bytes(raw)
    found = raw.astype(raw.dtype.newbyteorder("="))
    if one.others > 0:
        found &= np.uint64((1 << 8 * one.length) - 1)
    elif one.others < 0:
        found >>= np.uint64(-8 * one.others)
    return found


def _read(one: _Known, raw: NDArray[Any], exported_ms: NDArray[np.int64]) -> NDArray[Any]:
    kind = one.kind
    if kind is Kind.IPV4:
        return of_ipv4(raw)
    if kind is Kind.IPV6:
        return of_ipv6(raw)
    number = _number(one, raw)
    if kind in (Kind.UNSIGNED, Kind.MAC):
        return number
    if kind is Kind.NTP:
        seconds = (number >> np.uint64(32)).astype(np.int64) - _NTP_EPOCH_S
        fraction = ((number & np.uint64(0xFFFF_FFFF)) * np.uint64(1000)) >> np.uint64(32)
        return seconds * 1000 + fraction.astype(np.int64)
    signed = number.astype(np.int64)
    if kind is Kind.EPOCH_S:
        return signed * 1000
    if kind is Kind.BEFORE_EXPORT_US:
        return exported_ms - signed // 1000
    return signed


def _place_in_time(
    found: dict[str, NDArray[Any]],
    since_start: dict[str, NDArray[np.uint32]],
    exported_ms: NDArray[np.int64],
    uptime_ms: NDArray[np.int64] | None,
) -> None:
    """Add times that are told since the exporter's start: what is known of when that was decides what they say.

    The counter wraps after 49 days; a flow is much shorter, so differences are taken modulo 2**32.
    """
    if uptime_ms is None and (began_ms := found.get("system_start_ms")) is not None:
        uptime_ms = exported_ms - began_ms
    if uptime_ms is not None:
        now = uptime_ms.astype(np.uint32)
        for name, told in since_start.items():
            found.setdefault(name, exported_ms + (told - now).view(np.int32))
    elif START in since_start and END in since_start:
        found[DURATION] = (since_start[END] - since_start[START]).astype(np.int32).astype(np.int64)


def _variable(data: bytes, position: int) -> tuple[int, int]:
    """Return where a field of variable length begins, and its length (RFC 7011, 7)."""
    if position >= len(data):
        raise NotFlows("record cut off")
    length = data[position]
    if length < 0xFF:
        return position + 1, length
    if position + 3 > len(data):
        raise NotFlows("record cut off")
    return position + 3, int.from_bytes(data[position + 1 : position + 3], "big")
