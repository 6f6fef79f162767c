from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.testing.replies import rows_of
from mtd.testing.strategies import rows
from mtd_collector_routing import neighbours
from mtd_collector_routing.naming import plain_address


@pytest.mark.parametrize(
    ("told", "address"),
    [
        (b"10.0.0.2", b"10.0.0.2"),
        (b"10.0.0.2/32", b"10.0.0.2"),
        (b"10.0.0.2%ether1", b"10.0.0.2"),
        (b"10.0.0.2%ether1@customer", b"10.0.0.2"),
        (b"fe80::2%ether1", b"fe80::2%ether1"),
        (b"fe80::2%ether1@customer", b"fe80::2%ether1"),
        (b"2001:db8::2%ether1", b"2001:db8::2"),
        (b"", b""),
    ],
)
def test_plain_addresses(told: bytes, address: bytes) -> None:
    assert plain_address(told) == address


@pytest.mark.parametrize(
    ("word", "state"), [("Full", b"full"), ("2-Way", b"2way"), ("TwoWay", b"2way"), ("ExStart", b"exstart")]
)
def test_states_of_ospf_are_written_in_one_way(word: str, state: bytes) -> None:
    made = neighbours.ospf(None)(rows_of([{"address": "10.0.0.2", "state": word}]))
    assert made.column("state") == [state]


def test_both_versions_of_ospf_in_one_menu_come_apart() -> None:
    told = rows_of([{"address": "10.0.0.2"}, {"address": "fe80::2%ether1"}])
    assert neighbours.ospf(2)(told).column("neighbor") == [b"10.0.0.2"]
    assert neighbours.ospf(3)(told).column("neighbor") == [b"fe80::2%ether1"]
    assert neighbours.ospf(None)(told).count == 2


def test_a_neighbour_is_called_as_in_the_log_where_that_tells_which() -> None:
    told = rows_of(
        [
            {"address": "10.0.0.2", "router-id": "10.255.0.2"},
            {"address": "fe80::2%ether1", "router-id": "10.255.0.2"},
            # The same router over two links: a line says of neither which.
            {"address": "10.0.1.3", "router-id": "10.255.0.3"},
            {"address": "10.0.2.3", "router-id": "10.255.0.3"},
            {"address": "10.0.3.4"},
        ]
    )
    names = [b"OSPFv2 10.255.0.2", b"OSPFv3 10.255.0.2", None, None, None]
    assert neighbours.ospf(None)(told).column("log-name") == names
    assert neighbours.ospf(2)(told).column("log-name") == [names[0], None, None, None]
    assert neighbours.ospf(3)(told).column("log-name") == [names[1]]


def test_one_address_on_two_interfaces_is_two_neighbours() -> None:
    told = rows_of([{"address": "10.0.0.2", "interface": name} for name in ("ether1", "ether2")])
    assert neighbours.ospf(2)(told).column("neighbor") == [b"10.0.0.2", b"10.0.0.2#ether2"]


@pytest.mark.parametrize(
    ("row", "neighbor"),
    [
        ({"address": "10.0.0.2", "interface": "ether1"}, b"10.0.0.2"),
        ({"remote-address": "10.0.0.2%ether1", "vrf": "main"}, b"10.0.0.2"),
        ({"remote-address": "10.0.0.2%ether1@customer"}, b"10.0.0.2@customer"),
        ({"remote-address": "fe80::2", "interface": "ether1"}, b"fe80::2%ether1"),
    ],
)
def test_bfd_sessions_are_known_alike_in_both_versions(row: dict[str, Any], neighbor: bytes) -> None:
    assert neighbours.bfd(rows_of([row])).column("neighbor") == [neighbor]


@pytest.mark.parametrize(
    ("row", "state"),
    [
        ({"operational": "true"}, b"operational"),
        ({"operational": "false"}, b"down"),
        ({}, b"down"),
        ({"operational": "true", "disabled": "true"}, b"disabled"),
    ],
)
def test_states_of_ldp(row: dict[str, str], state: bytes) -> None:
    assert neighbours.ldp(rows_of([{"transport": "10.255.0.2"} | row])).column("state") == [state]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_whatever_a_router_sends_neighbours_have_names(data: st.DataObject) -> None:
    for fields, read in (
        (neighbours.OSPF_READS, neighbours.ospf(None)),
        (neighbours.LDP_READS, neighbours.ldp),
        (neighbours.BFD_READS, neighbours.bfd),
        (neighbours.RIP_READS, neighbours.rip),
    ):
        told = data.draw(rows(*fields))
        made = read(told)
        assert made.count <= told.count
        assert None not in made.column("neighbor")[: made.count]
