"""sFlow version 5: packets that were sampled, with the beginning of each (https://sflow.org/sflow_version_5.txt).

A datagram is in XDR: big-endian words of four bytes, opaque data padded to a multiple of these. It holds
samples, each with records; a flow sample's record is the beginning of a packet, whose headers say what a
flow's would. One packet stands for as many as the sampling rate says.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtd.codec.flows.columns import ADDRESS, Flows
from mtd.codec.flows.errors import NotFlows, refuse_long
from mtd.codec.flows.packets import Packet, read_ethernet, read_ip
from mtd.codec.flows.sequence import Sequence

VERSION = 5
_MOST_SAMPLES, _MOST_RECORDS = 512, 64
_MOST_AGENTS = 64
_FLOW_SAMPLE, _EXPANDED_FLOW_SAMPLE = 1, 3
_RAW_HEADER, _IPV4_RECORD, _IPV6_RECORD, _SWITCH_RECORD = 1, 3, 4, 1001
_ETHERNET, _IPV4, _IPV6 = 1, 11, 12  # of header_protocol
_UNKNOWN_INTERFACES = frozenset({0x3FFF_FFFF})
_WORD = struct.Struct(">I")


@dataclass(slots=True)
class SflowCounts:
    """Totals since the sender is known. ``skipped``: samples of counters, and records that say nothing of a packet."""

    datagrams: int = 0
    records: int = 0
    skipped: int = 0
    agents_dropped: int = 0
    malformed: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Sample:
    packet: Packet
    rate: int
    in_interface: int | None
    out_interface: int | None
    received_us: int


class SflowAgent:
    """State of one sender of sFlow: of all agents that send from its address."""

    def __init__(self) -> None:
        self.counts = SflowCounts()
        self._sequences: dict[tuple[bytes, int], Sequence] = {}
        self._samples: list[_Sample] = []

    def feed(self, datagram: bytes, received_us: int) -> None:
        """Take a datagram. Never raises: what can't be read is counted."""
        self.counts.datagrams += 1
        try:
            refuse_long(datagram)
            self._read(_Words(datagram), received_us)
        except NotFlows as wrong:
            self.counts.malformed[wrong.reason] += 1

    def _read(self, words: _Words, received_us: int) -> None:
        if words.number() != VERSION:
            raise NotFlows("unknown version")
        agent = words.address()
        sub_agent, sequence, uptime_ms, samples = (words.number() for _ in range(4))
        if samples > _MOST_SAMPLES:
            raise NotFlows("impossible number of samples")
        self._sequence(agent, sub_agent).take(sequence, 1, uptime_ms // 1000)  # its only clock
        for _ in range(samples):
            kind, body = words.number(), _Words(words.opaque())
            if kind in (_FLOW_SAMPLE, _EXPANDED_FLOW_SAMPLE):
                self._flow_sample(body, received_us, expanded=kind == _EXPANDED_FLOW_SAMPLE)
            else:
                self.counts.skipped += 1

    def _sequence(self, agent: bytes, sub_agent: int) -> Sequence:
        key = (agent, sub_agent)
        if key not in self._sequences and len(self._sequences) >= _MOST_AGENTS:
            del self._sequences[next(iter(self._sequences))]
            self.counts.agents_dropped += 1
        return self._sequences.setdefault(key, Sequence())

    def _flow_sample(self, words: _Words, received_us: int, *, expanded: bool) -> None:
        words.skip(8 if not expanded else 12)  # sequence, and where it was sampled
        rate = words.number()
        words.skip(8)  # packets that could have been sampled, and those that were dropped
        if expanded:
            in_interface, out_interface = words.interface(), words.interface()
        else:
            in_interface, out_interface = _compact(words.number()), _compact(words.number())
        records = words.number()
        if records > _MOST_RECORDS:
            raise NotFlows("impossible number of records")
        found: Packet | None = None
        vlan: int | None = None
        for _ in range(records):
            kind, body = words.number(), words.opaque()
            if kind == _RAW_HEADER:
                found = _raw_header(_Words(body)) or found
            elif kind == _SWITCH_RECORD and len(body) >= 4:
                vlan = _WORD.unpack_from(body)[0]
            elif kind in (_IPV4_RECORD, _IPV6_RECORD) and found is None:
                found = _addresses(_Words(body), 4 if kind == _IPV4_RECORD else 16)
        if found is None:
            self.counts.skipped += 1
            return
        if found.vlan_id is None and vlan:
            found.vlan_id = vlan
        self._samples.append(_Sample(found, rate, in_interface, out_interface, received_us))

    @property
    def waiting(self) -> int:
        """How many samples wait to be taken."""
        return len(self._samples)

    def take(self) -> list[Flows]:
        """Return the samples that came since, each as a flow of one packet; those of the same columns together."""
        samples, self._samples = self._samples, []
        alike: dict[tuple[str, ...], list[_Sample]] = {}
        for sample in samples:
            alike.setdefault(_told(sample), []).append(sample)
        self.counts.records += len(samples)
        return [_columns(names, some) for names, some in alike.items()]

    def lost(self) -> int:
        """Return how many datagrams never came, by the agents' own numbers."""
        return sum(sequence.lost for sequence in self._sequences.values())


def _compact(word: int) -> int | None:
    """Return an interface's index; None for what isn't one: several, a reason for a drop, or unknown."""
    if word >> 30 or word in _UNKNOWN_INTERFACES or word == 0:
        return None
    return word


def _raw_header(words: _Words) -> Packet | None:
    protocol, length = words.number(), words.number()
    words.skip(4)  # bytes cut off before sampling
    header = words.opaque()
    if protocol == _ETHERNET:
        return read_ethernet(header, length)
    if protocol in (_IPV4, _IPV6):
        return read_ip(Packet(length), header)
    return None


def _addresses(words: _Words, size: int) -> Packet:
    length, protocol = words.number(), words.number()
    if protocol > 0xFF:  # a word, for a number of eight bits
        raise NotFlows("impossible protocol")
    found = Packet(length, protocol=protocol)
    found.src_address, found.dst_address = words.take(size), words.take(size)
    found.src_port, found.dst_port, found.tcp_flags, found.tos = (words.number() for _ in range(4))
    return found


_NUMBERS = {
    "protocol": np.uint8, "tos": np.uint32, "tcp_flags": np.uint32, "src_port": np.uint32, "dst_port": np.uint32,
    "ttl": np.uint8, "vlan_id": np.uint32, "icmp_type_code": np.uint16, "src_mac": np.uint64, "dst_mac": np.uint64,
}  # fmt: skip
_ADDRESSES = ("src_address", "dst_address")
_INTERFACES = ("in_interface", "out_interface")


def _told(sample: _Sample) -> tuple[str, ...]:
    packet = [name for name in (*_ADDRESSES, *_NUMBERS) if getattr(sample.packet, name) is not None]
    return (*packet, *(name for name in _INTERFACES if getattr(sample, name) is not None))


def _columns(names: tuple[str, ...], samples: list[_Sample]) -> Flows:
    count = len(samples)
    columns: dict[str, NDArray[np.generic]] = {
        "octets": np.array([one.packet.length for one in samples], np.uint32),
        "packets": np.ones(count, np.uint32),
    }
    for name in names:
        if name in _ADDRESSES:
            columns[name] = _as_addresses([getattr(one.packet, name) for one in samples])
        elif name in _INTERFACES:
            columns[name] = np.array([getattr(one, name) for one in samples], np.uint32)
        else:
            columns[name] = np.array([getattr(one.packet, name) for one in samples], _NUMBERS[name])
    received_us = np.array([one.received_us for one in samples], np.int64)
    # An agent tells how long it runs, not what time it is.
    found = Flows(count, columns, received_us // 1000, received_us)
    found.sampling = np.array([one.rate for one in samples], np.uint32)
    found.form = "sflow5"
    return found


def _as_addresses(texts: list[bytes]) -> NDArray[np.generic]:
    wide = b"".join(one if len(one) == 16 else bytes(10) + b"\xff\xff" + one for one in texts)
    pairs = np.frombuffer(wide, ">u8").reshape(-1, 2)
    found = np.empty(len(texts), ADDRESS)
    found["high"], found["low"] = pairs[:, 0], pairs[:, 1]
    return found


class _Words:
    """A reader of XDR. Raises NotFlows at the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise NotFlows("cut off")
        found = self._data[self._position : end]
        self._position = end
        return found

    def skip(self, size: int) -> None:
        self.take(size)

    def number(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def opaque(self) -> bytes:
        size = self.number()
        found = self.take(size)
        self.take(min(-size % 4, len(self._data) - self._position))
        return found

    def interface(self) -> int | None:
        """An interface of an expanded sample: a format, and a number."""
        kind, number = self.number(), self.number()
        return number if kind == 0 and number and number not in _UNKNOWN_INTERFACES else None

    def address(self) -> bytes:
        kind = self.number()
        if kind not in (1, 2):
            raise NotFlows("unknown kind of address")
        return self.take(4 if kind == 1 else 16)
