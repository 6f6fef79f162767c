"""Datagrams as nearly all are: one set of records, whole, and nothing else.

They are seen through at a glance when they come; what their headers say of the records is read of many at once, later.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtd.codec.flows.errors import MAX_DATAGRAM_BYTES
from mtd.codec.flows.messages import (
    FIRST_DATA_SET,
    IPFIX,
    MOST_V5_RECORDS,
    V5,
    V5_HEADER_BYTES,
    V5_RECORD_BYTES,
    V5_SAMPLING,
    V9,
)

_V5_HEAD = struct.Struct(">2xHII4xIH2x")
# With the head of the set.
_V9_HEAD = struct.Struct(">4xIIIIHH")
_IPFIX_HEAD = struct.Struct(">2xHIIIHH")
_SET_HEAD_BYTES = 4
_HEADS = {
    V5: np.dtype(
        [("", "V4"), ("uptime", ">u4"), ("seconds", ">u4"), ("nanos", ">u4"), ("", "V6"), ("sampling", ">u2")]
    ),
    V9: np.dtype([("", "V4"), ("uptime", ">u4"), ("seconds", ">u4"), ("", "V12")]),
    IPFIX: np.dtype([("", "V4"), ("seconds", ">u4"), ("", "V12")]),
}
BEGIN = {version: head.itemsize for version, head in _HEADS.items()}
"""Where the records begin, by version."""

Numbers = NDArray[np.int64]
Sole = tuple[int, int, int, int, int, int]
"""Version, domain, sequence, seconds since 1970 when it was exported, uptime (ms), template.

Uptime doesn't count of IPFIX, which doesn't tell it.
"""


def sole_set(datagram: bytes) -> Sole | None:
    """Return what a datagram says of its one set of records; None for any other, which is to be read in full."""
    size = len(datagram)
    if not _V9_HEAD.size <= size <= MAX_DATAGRAM_BYTES or datagram[0]:
        return None
    version = datagram[1]
    if version == V5:
        count, uptime_ms, seconds, sequence, domain = _V5_HEAD.unpack_from(datagram)
        if 0 < count <= MOST_V5_RECORDS and size == V5_HEADER_BYTES + count * V5_RECORD_BYTES:
            return V5, domain, sequence, seconds, uptime_ms, V5
    elif version == V9:
        uptime_ms, seconds, sequence, domain, template, length = _V9_HEAD.unpack_from(datagram)
        if template >= FIRST_DATA_SET and length == size - _V9_HEAD.size + _SET_HEAD_BYTES:
            return V9, domain, sequence, seconds, uptime_ms, template
    elif version == IPFIX:
        told, seconds, sequence, domain, template, length = _IPFIX_HEAD.unpack_from(datagram)
        if (
            template >= FIRST_DATA_SET
            and told == size
            and length == size - _IPFIX_HEAD.size + _SET_HEAD_BYTES
        ):
            return IPFIX, domain, sequence, seconds, 0, template
    return None


def heads_of(version: int, datagrams: Sequence[bytes]) -> tuple[Numbers, Numbers, Numbers]:
    """Return what such datagrams of a version say of their records: when they were exported (ms), uptime (ms), sampling.

    A number for each datagram. Uptime and sampling are 0 where such messages don't tell them.
    """
    head = _HEADS[version]
    rows = np.frombuffer(b"".join([one[: head.itemsize] for one in datagrams]), head)
    exported_ms = rows["seconds"].astype(np.int64) * 1000
    nothing = np.zeros(len(rows), np.int64)
    uptime_ms = nothing if version == IPFIX else rows["uptime"].astype(np.int64)
    if version != V5:
        return exported_ms, uptime_ms, nothing
    exported_ms += rows["nanos"].astype(np.int64) // 1_000_000
    return exported_ms, uptime_ms, rows["sampling"].astype(np.int64) & V5_SAMPLING
