"""Which records are meant: as a plain reading of the question has it."""

from __future__ import annotations

import ipaddress
from dataclasses import fields
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtd.queries.flows.matching import SEARCHED, chosen_by, columns_of, found_by, times_of
from mtd.queries.flows.records import FlowFilter, SearchQuestion
from tests.unit.queries.flows.kit import ADDRESSES, Record, batches, columns

FILTERED = (
    *("src_address", "dst_address", "src_port", "dst_port", "protocol", "in_interface", "out_interface"),
)
NETWORKS = (
    "10.0.0.0/24",
    "10.0.0.1/32",
    "0.0.0.0/0",
    "2001:db8::/48",
    "2001:db8::1/128",
    "::/0",
    "::ffff:0:0/96",
)
EITHER = {
    "address": ("src_address", "dst_address"),
    "port": ("src_port", "dst_port"),
    "interface": ("in_interface", "out_interface"),
}
NUMBERS = st.none() | st.sampled_from((0, 1, 6, 17, 443, 100_000))
FILTERS = st.builds(
    FlowFilter,
    **{
        one.name: st.none() | st.sampled_from(NETWORKS).map(ipaddress.ip_network)
        if "address" in one.name
        else NUMBERS
        for one in fields(FlowFilter)
    },
)
# IPv4 is looked for among the mapped addresses of IPv6, as they are stored.
MAPPED = int(ipaddress.ip_address("::ffff:0.0.0.0"))


def bits(text: str) -> int:
    address = ipaddress.ip_address(text)
    return int(address) | (MAPPED if address.version == 4 else 0)


def inside(text: str, network: Any) -> bool:
    first = bits(str(network.network_address))
    host_bits = network.max_prefixlen - network.prefixlen
    return bits(text) >> host_bits == first >> host_bits


def meant(record: Record, where: FlowFilter) -> bool:
    for one in fields(FlowFilter):
        wanted = getattr(where, one.name)
        if wanted is None:
            continue
        values = [record[name] for name in EITHER.get(one.name, (one.name,)) if name in record]
        if not any(value == wanted if isinstance(wanted, int) else inside(value, wanted) for value in values):
            return False
    return True


@given(batches(*FILTERED), FILTERS)
def test_a_filter_means_what_it_says(records: list[Record], where: FlowFilter) -> None:
    found = chosen_by(where, columns(records), len(records))
    assert found.tolist() == [meant(record, where) for record in records]
    assert where.narrows == any(getattr(where, one.name) is not None for one in fields(FlowFilter))
    assert columns_of(where) <= set(FILTERED)


MINUTE_MS = 60_000
AT_US = 1_000_000_000_000_000
MINUTE = AT_US // 60_000_000 * MINUTE_MS
TIMES = st.sampled_from((0, MINUTE - 70_000, MINUTE - 1, MINUTE, MINUTE + 30_000, MINUTE + 60_000))
ENDS = (
    ("src_address", ("src_port",)),
    ("dst_address", ("dst_port",)),
    ("post_nat_src_address", ("post_nat_src_port", "src_port")),
    ("post_nat_dst_address", ("post_nat_dst_port", "dst_port")),
)
PORTS = ("src_port", "dst_port", "post_nat_src_port", "post_nat_dst_port")


def when(record: Record) -> tuple[int, int]:
    start = record.get("start_ms", 0) or MINUTE
    end = record.get("end_ms", 0) or MINUTE + MINUTE_MS - 1
    return min(start, end), max(start, end)


def had(record: Record, asked: SearchQuestion) -> bool:
    start, end = when(record)
    if start > asked.last_ms or end < asked.first_ms:
        return False
    if asked.protocol is not None and record.get("protocol") != asked.protocol:
        return False
    if asked.address is None:
        return asked.port is None or any(record.get(name) == asked.port for name in PORTS)
    for name, ports in ENDS:
        if name not in record or bits(record[name]) != bits(str(asked.address)):
            continue
        port = next((record[port] for port in ports if port in record), None)
        if asked.port is None or port == asked.port:
            return True
    return False


def with_times(records: list[Record], data: Any) -> list[Record]:
    told = data.draw(st.sets(st.sampled_from(("start_ms", "end_ms"))))
    return [{**record, **{name: data.draw(TIMES) for name in sorted(told)}} for record in records]


@given(batches(*sorted(SEARCHED - {"start_ms", "end_ms"})), st.data())
def test_a_search_finds_who_had_it(records: list[Record], data: Any) -> None:
    records = with_times(records, data)
    records = [record or {"protocol": 6} for record in records]
    asked = SearchQuestion(
        AT_US + data.draw(st.integers(-90, 90)) * 1_000_000 + 123_456,
        data.draw(st.none() | st.sampled_from(ADDRESSES).map(ipaddress.ip_address)),
        data.draw(NUMBERS),
        data.draw(NUMBERS),
        data.draw(st.sampled_from((0, 1, 30))),
    )
    found = found_by(asked, columns(records), len(records), AT_US)
    assert found.tolist() == [had(record, asked) for record in records]


def test_the_second_that_holds_a_time_is_looked_at() -> None:
    asked = SearchQuestion(5_300_000, port=1)
    assert (asked.first_ms, asked.last_ms) == (5000, 5999)
    wider = SearchQuestion(5_300_000, port=1, window_s=2)
    assert (wider.first_ms, wider.last_ms) == (3000, 7999)


def test_what_tells_no_times_counts_by_its_minute() -> None:
    begin, end = times_of({}, 1, AT_US)
    assert (int(begin[0]), int(end[0])) == (MINUTE, MINUTE + MINUTE_MS - 1)
    begin, end = times_of({"start_ms": np.array([0, MINUTE - 5])}, 2, AT_US)
    assert begin.tolist() == [MINUTE, MINUTE - 5]
    assert end.tolist() == [MINUTE + MINUTE_MS - 1] * 2
