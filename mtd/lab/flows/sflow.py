"""sFlow version 5 as agents write it: of each sampled packet its beginning, from the Ethernet header on.

RouterOS doesn't send it; switches in front of routers do.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from mtd.lab.flows.netflow import Moment
from mtd.lab.flows.traffic import ICMP, ICMPV6, TCP, UDP, Records

_MOST_SAMPLES = 8  # in a datagram of 1400 bytes
_WRAP = 1 << 32
_ETHERNET = 14
_LEAST_FRAME, _MOST_FRAME = 64, 1514
_TRANSPORT_BYTES = 20
_SAMPLE = [
    ("kind", ">u4"), ("length", ">u4"), ("number", ">u4"), ("source", ">u4"), ("rate", ">u4"), ("pool", ">u4"),
    ("drops", ">u4"), ("in_interface", ">u4"), ("out_interface", ">u4"), ("records", ">u4"),
    ("record_kind", ">u4"), ("record_length", ">u4"), ("header_kind", ">u4"), ("frame", ">u4"),
    ("stripped", ">u4"), ("header_length", ">u4"),
    ("dst_mac", "u1", (6,)), ("src_mac", "u1", (6,)), ("ether_type", ">u2"),
]  # fmt: skip
_IPV4 = [
    ("version", "u1"), ("tos", "u1"), ("ip_length", ">u2"), ("id", ">u4"), ("ttl", "u1"), ("protocol", "u1"),
    ("sum", ">u2"), ("src", "u1", (4,)), ("dst", "u1", (4,)),
]  # fmt: skip
_IPV6 = [
    ("word", ">u4"), ("ip_length", ">u2"), ("protocol", "u1"), ("ttl", "u1"), ("src", "u1", (16,)),
    ("dst", "u1", (16,)),
]  # fmt: skip
_TRANSPORT = [
    ("first", ">u4"), ("seq", ">u4"), ("ack", ">u4"), ("flags", ">u2"), ("window", ">u2"), ("sums", ">u4"),
    ("padding", ">u2"),
]  # fmt: skip
_TYPES = {4: np.dtype([*_SAMPLE, *_IPV4, *_TRANSPORT]), 6: np.dtype([*_SAMPLE, *_IPV6, *_TRANSPORT])}
_ALWAYS = frozenset(
    {
        *("octets", "packets", "src_address", "dst_address", "protocol", "tos", "ttl"),
        *("src_mac", "dst_mac", "in_interface"),
    }
)
_BY_PROTOCOL = {
    TCP: frozenset({"src_port", "dst_port", "tcp_flags"}),
    UDP: frozenset({"src_port", "dst_port"}),
    ICMP: frozenset({"icmp_type_code"}),
    ICMPV6: frozenset({"icmp_type_code"}),
}


def as_packets(records: Records) -> Records:
    """Return one packet of each flow, as if that had been sampled: its length is that of the frame."""
    columns = dict(records.columns)
    frame = columns["octets"] // columns["packets"] + _ETHERNET
    columns["octets"] = np.clip(frame, _LEAST_FRAME, _MOST_FRAME).astype(np.uint64)
    columns["packets"] = np.ones(len(records), np.uint64)
    return Records(records.version, columns)


def told_of(packets: Records) -> Iterator[tuple[Records, frozenset[str]]]:
    """Yield packets whose headers say the same things, and what these are."""
    protocol, out = packets.columns["protocol"], packets.columns["out_interface"] > 0
    for number, more in _BY_PROTOCOL.items():
        for known in (True, False):
            some = packets.where((protocol == number) & (out == known))
            if len(some):
                yield some, _ALWAYS | more | (frozenset({"out_interface"}) if known else frozenset())


class Sflow5:
    """An agent."""

    def __init__(self, agent: str, sampling: int) -> None:
        self._agent = ipaddress.ip_address(agent)
        self._rate = sampling or 1
        self._sequence = self._samples = 0

    def datagrams(self, records: Records, at: Moment, *, withheld: bool) -> Iterator[bytes]:
        """Yield samples as they are sent; there is nothing to withhold."""
        rows = self._rows(records)
        for first in range(0, len(records), _MOST_SAMPLES):
            some = rows[first : first + _MOST_SAMPLES]
            self._sequence = (self._sequence + 1) % _WRAP
            kind = 1 if self._agent.version == 4 else 2
            yield (
                struct.pack(">II", 5, kind)
                + self._agent.packed
                + struct.pack(">IIII", 0, self._sequence, at.uptime_ms % _WRAP, len(some))
                + some.tobytes()
            )

    def _rows(self, records: Records) -> Any:
        columns, count = records.columns, len(records)
        rows = np.zeros(count, _TYPES[records.version])
        size = rows.dtype.itemsize
        rows["kind"], rows["length"] = 1, size - 8
        rows["number"] = (self._samples + 1 + np.arange(count)) % _WRAP
        self._samples += count
        rows["source"] = columns["in_interface"]
        rows["rate"], rows["pool"] = self._rate, rows["number"].astype(np.uint64) * self._rate % _WRAP
        rows["in_interface"], rows["out_interface"] = columns["in_interface"], columns["out_interface"]
        rows["records"], rows["record_kind"], rows["header_kind"], rows["stripped"] = 1, 1, 1, 4
        header = _ETHERNET + (20 if records.version == 4 else 40) + _TRANSPORT_BYTES
        rows["record_length"], rows["header_length"] = 16 + header + 2, header
        rows["frame"] = columns["octets"]
        for name in ("dst_mac", "src_mac"):
            rows[name] = columns[name].astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
        _fill_ip(rows, records)
        _fill_transport(rows, records)
        return rows


def _fill_ip(rows: Any, records: Records) -> None:
    columns = records.columns
    rows["protocol"], rows["ttl"] = columns["protocol"], columns["ttl"]
    length = columns["octets"].astype(np.int64) - _ETHERNET
    if records.version == 4:
        rows["ether_type"], rows["version"] = 0x0800, 0x45
        rows["tos"], rows["ip_length"] = columns["tos"], length
        rows["src"], rows["dst"] = columns["src_address"][:, 12:], columns["dst_address"][:, 12:]
    else:
        rows["ether_type"] = 0x86DD
        rows["word"] = 6 << 28 | columns["tos"].astype(np.uint32) << 20 | columns["flow_label"]
        rows["ip_length"] = np.maximum(length - 40, 0)
        rows["src"], rows["dst"] = columns["src_address"], columns["dst_address"]


def _fill_transport(rows: Any, records: Records) -> None:
    columns = records.columns
    ports = columns["src_port"].astype(np.uint32) << 16 | columns["dst_port"]
    ported = np.isin(columns["protocol"], (TCP, UDP))
    rows["first"] = np.where(ported, ports, columns["icmp_type_code"].astype(np.uint32) << 16)
    rows["seq"], rows["ack"], rows["window"] = columns["tcp_seq"], columns["tcp_ack"], columns["tcp_window"]
    rows["flags"] = np.where(columns["protocol"] == TCP, 0x5000 | columns["tcp_flags"].astype(np.uint16), 0)
