from __future__ import annotations

import pytest
from hypothesis import given, settings

from mtd.model.command import Rows
from mtd.testing.replies import rows_of
from mtd.testing.strategies import rows
from mtd_collector_ip.routes import READS, one_row_per_gateway, state_of


def leads_to(**told: str) -> list[bytes | None]:
    names = {
        "immediate_gw": "immediate-gw",
        "gateway_status": "gateway-status",
        "routing_table": "routing-table",
    }
    return list(
        one_row_per_gateway(rows_of([{names.get(k, k): v for k, v in told.items()}])).column("interface")
    )


@pytest.mark.parametrize(
    ("status", "interface"),
    [
        ("10.0.0.1 reachable via  ether1", b"ether1"),
        ("10.0.0.1 reachable via ether1", b"ether1"),
        ("10.0.0.1 reachable via  vlan 10 north", b"vlan 10 north"),
        ("10.0.0.1 recursive via 192.0.2.1 ether1", b"ether1"),
        ("10.0.0.1 recursive via 192.0.2.1 vlan 10", b"vlan 10"),
        ("10.0.0.1 recursive via 192.0.2.1", None),
        ("pppoe-out1 reachable", b"pppoe-out1"),
        ("fe80::1%ether1 reachable", b"ether1"),
        ("10.0.0.1 reachable", None),
        ("10.0.0.1 unreachable", None),
        ("", None),
    ],
)
def test_the_interface_of_a_gateway_in_version_6(status: str, interface: bytes | None) -> None:
    assert leads_to(gateway="10.0.0.1", gateway_status=status) == [interface]


@pytest.mark.parametrize(
    ("told", "interfaces"),
    [
        ({"immediate_gw": "10.0.0.1%ether1"}, [b"ether1"]),
        ({"immediate_gw": "lte1"}, [b"lte1"]),
        ({"immediate_gw": ""}, [None]),
        ({"immediate_gw": "10.0.0.1"}, [None]),
        ({"immediate_gw": "10.0.0.1%ether1,10.0.1.1%ether2"}, [b"ether1", b"ether2"]),
        ({"immediate_gw": "10.0.0.1%ether1,10.0.1.1%ether1"}, [b"ether1"]),
        ({"immediate_gw": "fe80::1%ether1"}, [b"ether1"]),
        ({"gateway": "10.0.0.1%ether1@customer", "routing_table": "customer"}, [b"ether1"]),
        ({"gateway": "ether1@main", "routing_table": "customer"}, [b"ether1"]),
        ({"gateway": "user@isp"}, [b"user@isp"]),
        ({}, [None]),
    ],
)
def test_the_interfaces_of_a_gateway_in_version_7(
    told: dict[str, str], interfaces: list[bytes | None]
) -> None:
    assert leads_to(**{"gateway": "10.0.0.1"} | told) == interfaces


def test_gateways_that_lead_to_several_interfaces_are_known_apart() -> None:
    made = one_row_per_gateway(
        rows_of([{"gateway": "10.9.0.1", "distance": 1, "immediate-gw": "10.0.0.1%ether1,10.0.1.1%ether2"}])
    )
    assert made.column("route") == [b"main 10.9.0.1 1", b"main 10.9.0.1 1 ether2"]


def test_more_gateways_than_statuses_lead_nowhere_that_is_known() -> None:
    made = one_row_per_gateway(
        rows_of([{"gateway": "10.0.0.1,10.0.0.2", "gateway-status": "10.0.0.1 unreachable"}])
    )
    assert made.column("interface") == [None, None]


def test_a_default_route_of_another_table_is_no_way_out() -> None:
    [state] = state_of(b"ipv4")(rows_of([{"active": "true", "routing-mark": "guests"}])).column("state")
    assert state == b"absent"


@settings(max_examples=200, deadline=None)
@given(rows(*READS))
def test_whatever_a_router_sends_each_row_has_a_key(told: Rows) -> None:
    made = one_row_per_gateway(told)
    assert made.count >= told.count
    assert all(made.column("route"))
    assert set(made.column("active")) <= {b"true", b"false"}
