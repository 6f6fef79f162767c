"""MNDP: how MikroTik devices announce themselves to their neighbours, on UDP port 5678.

A datagram is a header of four bytes, the last two of which count, and fields
of type, length (two bytes each, big-endian) and value. Types that we don't
know are skipped: routers of tomorrow may have more to say. Who sends four or
more bytes of zeros, such as WinBox, asks the others to announce themselves.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from mtd.model.text import decode_text

PORT = 5678
MAX_DATAGRAM_BYTES = 9000
_MAX_FIELDS = 64
_MAX_TEXT_BYTES = 255
_HEADER = struct.Struct(">HH")
_FIELD = struct.Struct(">HH")

_MAC, _IDENTITY, _VERSION, _PLATFORM = 1, 5, 7, 8
_UPTIME, _SOFTWARE_ID, _BOARD, _UNPACK = 10, 11, 12, 14
_IPV6, _INTERFACE, _IPV4 = 15, 16, 17
_TEXTS = {
    _IDENTITY: "identity",
    _VERSION: "version",
    _PLATFORM: "platform",
    _SOFTWARE_ID: "software_id",
    _BOARD: "board",
    _INTERFACE: "interface_name",
}


class NotMndp(ValueError):
    """A datagram that is no announcement. ``reason`` is short and one of few."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Announcement:
    """What a device says of itself. Empty or None: not said."""

    sequence: int
    mac_address: str = ""
    identity: str = ""
    version: str = ""
    platform: str = ""
    board: str = ""
    software_id: str = ""
    interface_name: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""
    uptime_s: int | None = None
    unpack: int | None = None


def decode(datagram: bytes) -> Announcement | None:
    """Return the announcement in a datagram; None if it asks for announcements. Raises NotMndp."""
    if len(datagram) > MAX_DATAGRAM_BYTES:
        raise NotMndp("too long")
    if len(datagram) < _HEADER.size:
        raise NotMndp("too short")
    if not any(datagram):
        return None
    _, sequence = _HEADER.unpack_from(datagram)
    found = Announcement(sequence)
    position, known = _HEADER.size, 0
    for _ in range(_MAX_FIELDS):
        if position == len(datagram):
            break
        if position + _FIELD.size > len(datagram):
            raise NotMndp("cut off")
        kind, length = _FIELD.unpack_from(datagram, position)
        position += _FIELD.size
        if position + length > len(datagram):
            raise NotMndp("cut off")
        known += _take(found, kind, datagram[position : position + length])
        position += length
    else:
        raise NotMndp("too many fields")
    if not known:
        raise NotMndp("nothing known in it")
    return found


def _take(found: Announcement, kind: int, value: bytes) -> bool:
    """Take a field; return whether it is a known one. The first of equal ones counts, and one that can't be is left out."""
    if kind in _TEXTS:
        name = _TEXTS[kind]
        setattr(found, name, getattr(found, name) or decode_text(value[:_MAX_TEXT_BYTES].rstrip(b"\0")))
    elif kind == _MAC:
        found.mac_address = found.mac_address or _mac(value)
    elif kind == _IPV4:
        found.ipv4_address = found.ipv4_address or _address(value, 4)
    elif kind == _IPV6:
        found.ipv6_address = found.ipv6_address or _address(value, 16)
    elif kind == _UPTIME:
        if found.uptime_s is None and len(value) == 4:
            found.uptime_s = int.from_bytes(value, "little")
    elif kind == _UNPACK:
        if found.unpack is None and len(value) == 1:
            found.unpack = value[0]
    else:
        return False
    return True


def _mac(value: bytes) -> str:
    return value.hex(":").upper() if len(value) == 6 and any(value) else ""


def _address(value: bytes, length: int) -> str:
    if len(value) != length or not any(value):
        return ""
    return str(ipaddress.ip_address(value))
