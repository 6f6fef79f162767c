"""Flows as routers of a provider see them: few talk much, many a little, most of it with few servers.

Seeded: the same key gives the same flows. Addresses are those that documents may use, but for remote
ones: of these there are too many.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
_V4, _V6 = 4, 6
_GRANULARITY_MS = 10  # RouterOS stamps packets with its ticks
_SUBSCRIBERS, _ROUTED = 1200, 200  # the first ones have public addresses, the others are translated
_REMOTES, _NETWORKS = 20_000, 200
_INSIDE, _PUBLIC, _TRANSLATED = 0x64400002, 0xC6336401, 0xCB007101  # 100.64.0.2, 198.51.100.1, 203.0.113.1
_PUBLIC_ADDRESSES = 250
_GATEWAY = 0xC0000201  # 192.0.2.1
_ROUTER_MAC, _GATEWAY_MAC, _SUBSCRIBER_MAC = 0x64D154000001, 0x0C4DE9000001, 0xE89F80000000
_OWN_AS = 64_500
_MOST_PACKETS = 400_000
_NEIGHBOURS_PCT = 3  # of IPv6: who looks for neighbours
# protocol, port of the server (0: any), weight
_SERVICES = (
    (TCP, 443, 42), (UDP, 443, 24), (UDP, 53, 12), (TCP, 80, 6), (UDP, 0, 6), (TCP, 0, 4), (UDP, 123, 2),
    (ICMP, 0, 2), (TCP, 993, 1), (TCP, 22, 1),
)  # fmt: skip
_TCP_FLAGS = np.array([0x1B, 0x1B, 0x18, 0x10, 0x12, 0x02, 0x14, 0x1F], np.uint8)
_TOS = np.array([0, 0, 0, 0, 0, 0x28, 0xB8, 0x02], np.uint8)
_ALL_ROUTERS = bytes.fromhex("ff02" + "00" * 13 + "02")


@dataclass(slots=True)
class Records:
    """Flows of one IP version, column by column: addresses as 16 bytes, of IPv4 as ``::ffff:a.b.c.d``; else integers.

    ``start_up_ms`` and ``end_up_ms`` are milliseconds since the exporter started.
    """

    version: int
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.columns["octets"])

    def where(self, chosen: NDArray[np.bool_]) -> Records:
        """Return some of the flows."""
        return Records(self.version, {name: column[chosen] for name, column in self.columns.items()})


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Who talks with whom, in which direction, by numbers of subscribers and remotes."""

    who: Column
    remote: Column
    down: NDArray[np.bool_]


class Traffic:
    """The flows through one router. ``interfaces``: their indexes, the first two lead to the rest of the world."""

    def __init__(self, key: int, interfaces: Sequence[int], *, v6_pct: float) -> None:
        self._random = np.random.default_rng(key)
        self._v6_share = v6_pct / 100
        self._uplinks = np.array(interfaces[:2], np.uint32)
        self._access = np.array(interfaces[2:] or interfaces, np.uint32)
        self._talkative = _cumulated(self._random.lognormal(0, 1.5, _SUBSCRIBERS))
        self._popular = _cumulated(np.arange(1, _REMOTES + 1, dtype=np.float64) ** -1.1)
        self._services = _cumulated(np.array([weight for _, _, weight in _SERVICES], np.float64))
        networks = self._random.integers(16 << 24, 223 << 24, _NETWORKS) >> 12 << 12
        self._network_as = self._random.integers(1000, 400_000, _NETWORKS).astype(np.uint32)
        self._network = self._random.integers(0, _NETWORKS, _REMOTES)
        self._remotes = networks[self._network] + self._random.integers(1, 4000, _REMOTES)

    def take(self, count: int, uptime_ms: int, active_ms: int, inactive_ms: int) -> Iterator[Records]:
        """Yield so many flows that end about now, by IP version."""
        six = int(self._random.binomial(count, self._v6_share))
        for version, number in ((_V4, count - six), (_V6, six)):
            if number:
                yield self._records(version, number, uptime_ms, active_ms, inactive_ms)

    def _records(self, version: int, count: int, uptime_ms: int, active_ms: int, inactive_ms: int) -> Records:
        pairs = _Pairs(
            np.searchsorted(self._talkative, self._random.random(count)),
            np.searchsorted(self._popular, self._random.random(count)),
            self._random.random(count) < 0.5,
        )
        columns = self._transport(version, count, pairs.down) | self._sizes(count, pairs.down)
        columns |= self._ways(pairs)
        columns |= self._addresses4(pairs) if version == _V4 else self._addresses6(pairs)
        columns |= self._times(columns["packets"], uptime_ms, active_ms, inactive_ms)
        if version == _V4:
            self._translate(columns, pairs)
        else:
            self._neighbours(columns, count)
        columns["ip_version"] = np.full(count, version, np.uint8)
        columns |= _odds_and_ends(self._random, version, columns)
        return Records(version, columns)

    def _transport(self, version: int, count: int, down: NDArray[np.bool_]) -> dict[str, Column]:
        service = np.searchsorted(self._services, self._random.random(count))
        protocol = np.array([one for one, _, _ in _SERVICES], np.uint8)[service]
        server = np.array([port for _, port, _ in _SERVICES], np.uint16)[service]
        anywhere = self._random.integers(1024, 65_536, count).astype(np.uint16)
        server = np.where(server == 0, anywhere, server)
        own = self._random.integers(32_768, 61_000, count).astype(np.uint16)
        icmp = protocol == ICMP
        own[icmp] = server[icmp] = 0
        flags = self._random.choice(_TCP_FLAGS, count)
        flags[protocol != TCP] = 0
        if version == _V6:
            protocol[icmp] = ICMPV6
        echo = np.where(down, 0, 8 << 8) if version == _V4 else np.where(down, 129 << 8, 128 << 8)
        return {
            "protocol": protocol,
            "src_port": np.where(down, server, own),
            "dst_port": np.where(down, own, server),
            "tcp_flags": flags,
            "tos": self._random.choice(_TOS, count),
            "icmp_type_code": np.where(icmp, echo, 0).astype(np.uint16),
        }

    def _sizes(self, count: int, down: NDArray[np.bool_]) -> dict[str, Column]:
        packets = 1 + np.minimum(self._random.pareto(1.15, count) * 1.2, _MOST_PACKETS).astype(np.int64)
        large = down & (packets > 3)
        size = np.where(large, self._random.integers(600, 1480, count), self._random.integers(40, 600, count))
        octets = packets * size + self._random.integers(0, 20, count) * (packets > 1)
        return {"octets": octets.astype(np.uint64), "packets": packets.astype(np.uint64)}

    def _ways(self, pairs: _Pairs) -> dict[str, Column]:
        """Return what follows from the direction: interfaces, MAC addresses, masks, autonomous systems."""
        down = pairs.down
        uplink = self._uplinks[pairs.remote % len(self._uplinks)]
        access = self._access[pairs.who % len(self._access)]
        subscriber = (_SUBSCRIBER_MAC + pairs.who * 7919).astype(np.uint64)
        router = np.full(len(down), _ROUTER_MAC, np.uint64)
        gateway = np.full(len(down), _GATEWAY_MAC, np.uint64)
        theirs = self._network_as[self._network[pairs.remote]]
        return {
            "in_interface": np.where(down, uplink, access),
            "out_interface": np.where(down, access, uplink),
            "src_mac": np.where(down, gateway, subscriber),
            "dst_mac": router,
            "post_src_mac": router,
            "post_dst_mac": np.where(down, subscriber, gateway),
            "src_mask": np.where(down, 20, 24).astype(np.uint8),
            "dst_mask": np.where(down, 24, 20).astype(np.uint8),
            "src_as": np.where(down, theirs, _OWN_AS).astype(np.uint32),
            "dst_as": np.where(down, _OWN_AS, theirs).astype(np.uint32),
            "vlan_id": (100 + pairs.who % len(self._access)).astype(np.uint16),
        }

    def _addresses4(self, pairs: _Pairs) -> dict[str, Column]:
        who, down = pairs.who, pairs.down
        routed = who < _ROUTED
        inside = np.where(routed, _PUBLIC + who, _INSIDE + who * 3)
        outside = np.where(routed, inside, _TRANSLATED + who % _PUBLIC_ADDRESSES)
        remote = self._remotes[pairs.remote]
        gateway = _GATEWAY + pairs.remote % len(self._uplinks)
        return {
            "src_address": of_ipv4(np.where(down, remote, inside)),
            "dst_address": of_ipv4(np.where(down, outside, remote)),
            "next_hop": of_ipv4(np.where(down, inside, gateway)),
            # As RouterOS does, of all flows: where nothing is translated, it is the same address again.
            "post_nat_src_address": of_ipv4(np.where(down, remote, outside)),
            "post_nat_dst_address": of_ipv4(np.where(down, inside, remote)),
        }

    def _translate(self, columns: dict[str, Column], pairs: _Pairs) -> None:
        """Give the ports that are there on the other side of the translation."""
        port = self._random.integers(1024, 65_536, len(pairs.who)).astype(np.uint16)
        other = (pairs.who >= _ROUTED) & np.isin(columns["protocol"], (TCP, UDP))
        columns["post_nat_src_port"] = np.where(other & ~pairs.down, port, columns["src_port"])
        columns["post_nat_dst_port"] = columns["dst_port"].copy()
        # On the way back it is the destination that was translated: outside it has the other port.
        back = other & pairs.down
        columns["dst_port"] = np.where(back, port, columns["dst_port"])

    def _addresses6(self, pairs: _Pairs) -> dict[str, Column]:
        inside = of_ipv6(0x2001_0DB8_0000_0000 + pairs.who * 0x100, 0x0200_5EFF_FE00_0000 + pairs.who * 31)
        number = self._remotes[pairs.remote]
        remote = of_ipv6(0x2001_0DB8_8000_0000 + (number >> 12), number)
        zero = np.zeros(len(pairs.who), np.int64)
        gateway = of_ipv6(zero - 0x0180_0000_0000_0000, zero + 1)  # fe80::1
        down = pairs.down[:, None]
        return {
            "src_address": np.where(down, remote, inside),
            "dst_address": np.where(down, inside, remote),
            "next_hop": np.where(down, inside, gateway),
        }

    def _neighbours(self, columns: dict[str, Column], count: int) -> None:
        """Make some of them what RouterOS tells of the link itself: to all routers, by way of these, and out nowhere."""
        some = self._random.random(count) * 100 < _NEIGHBOURS_PCT
        number = int(some.sum())
        columns["dst_address"][some] = columns["next_hop"][some] = np.frombuffer(_ALL_ROUTERS, np.uint8)
        columns["src_address"][some, :8] = np.frombuffer(bytes.fromhex("fe80000000000000"), np.uint8)
        columns["out_interface"][some] = 0
        columns["protocol"][some], columns["icmp_type_code"][some] = ICMPV6, 133 << 8
        for name in ("src_port", "dst_port", "tcp_flags", "tos"):
            columns[name][some] = 0
        columns["packets"][some] = 1
        columns["octets"][some] = np.full(number, 56, np.uint64)

    def _times(self, packets: Column, uptime_ms: int, active_ms: int, inactive_ms: int) -> dict[str, Column]:
        """Return when flows began and ended: they are told once they were idle for long, or went on for long."""
        count = len(packets)
        goes_on = (packets > 1000) & (self._random.random(count) < 0.7)
        idle = inactive_ms + self._random.integers(0, 1000, count)
        end = uptime_ms - np.where(goes_on, 0, idle)
        length = np.minimum(self._random.exponential(6000, count), active_ms).astype(np.int64)
        start = end - np.where(goes_on, active_ms, np.where(packets > 1, length, 0))
        return {"start_up_ms": _stamped(start), "end_up_ms": _stamped(end)}


def _odds_and_ends(
    random: np.random.Generator, version: int, columns: dict[str, Column]
) -> dict[str, Column]:
    """Return what RouterOS 7 tells as well: of the last packet, of TCP, of multicast."""
    count = len(columns["octets"])
    tcp, udp = columns["protocol"] == TCP, columns["protocol"] == UDP
    size = columns["octets"] // columns["packets"]
    noise = random.integers(0, 1 << 32, (2, count))
    return {
        "ttl": random.integers(40, 128, count).astype(np.uint8),
        "flow_label": (noise[0] & 0xFFFFF).astype(np.uint32),
        "ip_header_length": np.full(count, 20 if version == _V4 else 40, np.uint8),
        "ip_total_length": size,
        "udp_length": np.where(udp, np.maximum(size, 28) - 20, 0),
        "tcp_seq": np.where(tcp, noise[0], 0),
        "tcp_ack": np.where(tcp, noise[1], 0),
        "tcp_window": np.where(tcp, noise[1] & 0xFFFF, 0),
        "is_multicast": (columns["dst_address"][:, 0] == 0xFF).astype(np.uint8),
        "igmp_type": np.zeros(count, np.uint8),
        "icmp_type": columns["icmp_type_code"] >> 8,
        "icmp_code": columns["icmp_type_code"] & 0xFF,
    }


def _stamped(uptime_ms: Column) -> Column:
    return np.maximum(uptime_ms, 0) // _GRANULARITY_MS * _GRANULARITY_MS


def of_ipv4(numbers: Column) -> Column:
    """Return 32-bit numbers as addresses of 16 bytes."""
    found = np.zeros((len(numbers), 16), np.uint8)
    found[:, 10:12] = 0xFF
    found[:, 12:] = _bytes(numbers, ">u4")
    return found


def of_ipv6(high: Column, low: Column) -> Column:
    """Return pairs of 64-bit numbers as addresses of 16 bytes."""
    return np.concatenate([_bytes(high, ">u8"), _bytes(low, ">u8")], axis=1)


def _bytes(numbers: Column, kind: str) -> Column:
    return numbers.astype(kind).view(np.uint8).reshape(len(numbers), -1)


def _cumulated(weights: Column) -> Column:
    """Return where the shares of weights end, the last one at 1 or beyond."""
    ends = np.cumsum(weights / weights.sum())
    ends[-1] = 1.0
    return ends
