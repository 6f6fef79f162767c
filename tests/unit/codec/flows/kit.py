"""Messages of flows as exporters make them, written without a line of the decoder's."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Sequence

Row = Sequence[bytes]


def v9(
    *sets: bytes, uptime_ms: int = 100_000, seconds: int = 1_700_000_000, sequence: int = 0, source: int = 0
) -> bytes:
    return struct.pack(">HHIIII", 9, len(sets), uptime_ms, seconds, sequence, source) + b"".join(sets)


def ipfix(*sets: bytes, seconds: int = 1_700_000_000, sequence: int = 0, domain: int = 0) -> bytes:
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(body), seconds, sequence, domain) + body


def v5(
    *records: bytes,
    uptime_ms: int = 100_000,
    seconds: int = 1_700_000_000,
    sequence: int = 0,
    sampling: int = 0,
) -> bytes:
    return struct.pack(
        ">HHIIIIBBH", 5, len(records), uptime_ms, seconds, 500_000_000, sequence, 1, 2, sampling
    ) + b"".join(records)


def v5_record(
    src: str, dst: str, octets: int, packets: int = 1, first: int = 90_000, last: int = 95_000
) -> bytes:
    return (
        ip(src) + ip(dst) + ip("0.0.0.0")
        + struct.pack(">HHIIIIHHBBBBHHBBH", 3, 4, packets, octets, first, last, 1234, 443, 0, 0x12, 6, 0, 0, 0, 24, 16, 0)
    )  # fmt: skip


def ip(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def set_of(number: int, *bodies: bytes, pad: int = 0) -> bytes:
    body = b"".join(bodies) + bytes(pad)
    return struct.pack(">HH", number, 4 + len(body)) + body


def template(number: int, *fields: tuple[int, ...]) -> bytes:
    """Fields: (element, length), or (element, length, enterprise)."""
    body = struct.pack(">HH", number, len(fields))
    return body + _fields(fields)


def options_template(
    number: int, scopes: Iterable[tuple[int, ...]], fields: Iterable[tuple[int, ...]]
) -> bytes:
    scopes, fields = list(scopes), list(fields)
    head = struct.pack(">HHH", number, len(scopes) + len(fields), len(scopes))
    return head + _fields(scopes) + _fields(fields)


def v9_options_template(
    number: int, scopes: Iterable[tuple[int, ...]], fields: Iterable[tuple[int, ...]]
) -> bytes:
    scopes, fields = list(scopes), list(fields)
    return struct.pack(">HHH", number, 4 * len(scopes), 4 * len(fields)) + _fields(scopes) + _fields(fields)


def _fields(fields: Iterable[tuple[int, ...]]) -> bytes:
    found = b""
    for element, length, *enterprise in fields:
        found += struct.pack(">HH", element | (0x8000 if enterprise else 0), length)
        found += b"".join(struct.pack(">I", one) for one in enterprise)
    return found


def variable(value: bytes, long: bool = False) -> bytes:
    if long or len(value) >= 255:
        return b"\xff" + struct.pack(">H", len(value)) + value
    return bytes([len(value)]) + value
