"""sFlow, from datagrams made by hand."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.flows import text_of
from mtd.codec.flows.sflow import SflowAgent
from tests.unit.codec.flows.kit import ip


def words(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


def opaque(data: bytes) -> bytes:
    return words(len(data)) + data + bytes(-len(data) % 4)


def datagram(*samples: tuple[int, bytes], sequence: int = 1, agent: str = "192.0.2.1") -> bytes:
    address = ip(agent)
    head = words(5, 1 if len(address) == 4 else 2) + address + words(0, sequence, 12345, len(samples))
    return head + b"".join(words(kind) + opaque(body) for kind, body in samples)


def flow_sample(
    *records: tuple[int, bytes], rate: int = 400, into: int = 3, out: int = 4
) -> tuple[int, bytes]:
    body = words(9, 3, rate, 4000, 0, into, out, len(records))
    return 1, body + b"".join(words(kind) + opaque(one) for kind, one in records)


def expanded_sample(
    *records: tuple[int, bytes], rate: int = 400, into: int = 3, out: int = 4
) -> tuple[int, bytes]:
    body = words(9, 0, 3, rate, 4000, 0, 0, into, 0, out, len(records))
    return 3, body + b"".join(words(kind) + opaque(one) for kind, one in records)


def raw(header: bytes, length: int, protocol: int = 1) -> tuple[int, bytes]:
    return 1, words(protocol, length, 4) + opaque(header)


MACS = bytes.fromhex("d401c3000102 d401c3000304".replace(" ", ""))
TCP = struct.pack(">HHIIHHHH", 50_000, 443, 0, 0, 0x5012, 0, 0, 0)
UDP = struct.pack(">HHHH", 53, 33_000, 20, 0)


def ipv4(src: str, dst: str, protocol: int, rest: bytes, fragment: int = 0) -> bytes:
    return (
        struct.pack(">BBHHHBBH", 0x45, 0xB8, 20 + len(rest), 1, fragment, 63, protocol, 0)
        + ip(src)
        + ip(dst)
        + rest
    )


def ipv6(src: str, dst: str, following: int, rest: bytes) -> bytes:
    return struct.pack(">IHBB", 0x6 << 28 | 0xB8 << 20, len(rest), following, 62) + ip(src) + ip(dst) + rest


def one(*samples: tuple[int, bytes]) -> dict[str, Any]:
    agent = SflowAgent()
    agent.feed(datagram(*samples), 5_000_000)
    assert not agent.counts.malformed
    (flows,) = agent.take()
    assert flows.count == 1
    found = {
        name: text_of(column[0]) if name.endswith("address") else int(column[0])
        for name, column in flows.columns.items()
    }
    return found | {"sampling": int(flows.sampling[0])}


@pytest.mark.parametrize("sample", [flow_sample, expanded_sample])
def test_a_sampled_packet_is_a_flow_of_one_packet(sample: Any) -> None:
    header = MACS + b"\x08\x00" + ipv4("10.0.0.1", "192.0.2.9", 6, TCP)
    assert one(sample(raw(header, 1514))) == {
        "octets": 1514, "packets": 1, "protocol": 6, "tos": 0xB8, "ttl": 63, "tcp_flags": 0x12,
        "src_address": "10.0.0.1", "dst_address": "192.0.2.9", "src_port": 50_000, "dst_port": 443,
        "src_mac": 0xD401C3000304, "dst_mac": 0xD401C3000102, "in_interface": 3, "out_interface": 4, "sampling": 400,
    }  # fmt: skip


def test_tags_and_pppoe_are_looked_through() -> None:
    tags = bytes.fromhex("88a80064810000c8")
    pppoe = bytes.fromhex("88641100000100300057")
    found = one(flow_sample(raw(MACS + tags + pppoe + ipv6("2001:db8::1", "2001:db8::2", 17, UDP), 120)))
    assert (found["vlan_id"], found["src_address"], found["dst_port"]) == (100, "2001:db8::1", 33_000)


def test_extensions_of_version_6_are_passed() -> None:
    hop_by_hop = bytes([44, 0]) + bytes(6)
    fragment = bytes([17, 0]) + struct.pack(">HI", 1, 7)
    found = one(flow_sample(raw(ipv6("2001:db8::1", "2001:db8::2", 0, hop_by_hop + fragment + UDP), 120, 12)))
    assert (found["protocol"], found["src_port"], found["tos"]) == (17, 53, 0xB8)


def test_later_fragments_have_no_ports() -> None:
    found = one(flow_sample(raw(ipv4("10.0.0.1", "10.0.0.2", 17, UDP, fragment=100), 1500, 11)))
    assert found["protocol"] == 17
    assert "src_port" not in found


def test_a_header_that_was_cut_off_says_what_it_says() -> None:
    found = one(flow_sample(raw((MACS + b"\x08\x00" + ipv4("10.0.0.1", "10.0.0.2", 6, TCP))[:36], 64)))
    assert found["dst_address"] == "10.0.0.2"
    assert "src_port" not in found


def test_records_of_addresses_serve_where_no_header_came() -> None:
    body = words(900, 17) + ip("10.0.0.1") + ip("10.0.0.2") + words(53, 1024, 0, 8)
    found = one(flow_sample((3, body), (1001, words(7, 0, 8, 0))))
    assert (found["octets"], found["src_port"], found["vlan_id"]) == (900, 53, 7)


def test_interfaces_that_arent_one_are_absent() -> None:
    header = ipv4("10.0.0.1", "10.0.0.2", 17, UDP)
    found = one(flow_sample(raw(header, 100, 11), into=0x3FFFFFFF, out=1 << 31 | 2))
    assert not {"in_interface", "out_interface"} & set(found)


def test_samples_of_counters_are_skipped_and_lost_datagrams_counted() -> None:
    agent = SflowAgent()
    agent.feed(datagram((2, words(1, 2, 3))), 1)
    agent.feed(datagram(sequence=5), 1)
    assert (agent.counts.skipped, agent.lost(), agent.take()) == (1, 3, [])


def test_what_is_too_long_is_refused() -> None:
    agent = SflowAgent()
    agent.feed(datagram((2, bytes(9300))), 1)
    assert dict(agent.counts.malformed) == {"too long": 1}


GOOD = datagram(
    flow_sample(raw(MACS + b"\x08\x00" + ipv4("10.0.0.1", "10.0.0.2", 6, TCP), 99)),
    expanded_sample(raw(ipv6("2001:db8::1", "2001:db8::2", 0, bytes([17, 0]) + bytes(6) + UDP), 99, 12)),
)


@given(
    st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=8),
    st.integers(0, len(GOOD)),
)
def test_nothing_that_is_spoiled_on_the_way_raises(changes: list[tuple[int, int]], end: int) -> None:
    spoiled = bytearray(GOOD)
    for place, value in changes:
        spoiled[place] = value
    agent = SflowAgent()
    agent.feed(bytes(spoiled[:end]), 1)
    for flows in agent.take():
        assert all(len(column) == flows.count for column in flows.columns.values())
