"""What a neighbour or an announcement is known by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.sighting import FoundBy, Sighting, neighbor_sighting, normal_address, normal_mac

ROW = {
    "interface": "ether3,bridge1",
    "address": "10.0.0.7",
    "mac-address": "48:8f:5a:00:00:01",
    "identity": "sw-3",
    "platform": "MikroTik",
    "version": "7.16.2 (stable)",
    "board": "CRS326",
    "interface-name": "ether1",
}


def test_a_neighbour_is_told_with_what_it_said() -> None:
    found = neighbor_sighting(ROW)
    assert found == Sighting(
        FoundBy.NEIGHBOR, "10.0.0.7", "48:8F:5A:00:00:01", "sw-3", "MikroTik", "7.16.2 (stable)", "CRS326",
        interface_name="ether1",
    )  # fmt: skip
    assert found.thing == "mac 48:8F:5A:00:00:01"


def test_one_router_seen_at_two_interfaces_is_one_thing() -> None:
    with_id = ROW | {"software-id": "AAAA-BBBB"}
    one, other = neighbor_sighting(with_id), neighbor_sighting(with_id | {"mac-address": "48:8F:5A:00:00:02"})
    assert one is not None
    assert other is not None
    assert one.thing == other.thing
    copied = neighbor_sighting(with_id | {"identity": "sw-4"})
    assert copied is not None
    assert copied.thing != one.thing


@pytest.mark.parametrize(
    "row",
    [
        ROW | {"platform": "Cisco"},
        {"identity": "phone", "system-description": "POLYCOM"},
        {"platform": "MikroTik"},
        {"platform": "MikroTik", "address": "fe80::1", "mac-address": "00:00:00:00:00:00"},
        {},
    ],
)
def test_what_is_no_router_or_can_not_be_told_apart_is_none(row: dict[str, str]) -> None:
    assert neighbor_sighting(row) is None


def test_lldp_alone_tells_routeros_by_its_description() -> None:
    row = {"mac-address": "48:8F:5A:00:00:01", "system-description": "MikroTik RouterOS 7.16.2 CCR2004"}
    assert neighbor_sighting(row) is not None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" 10.0.0.1", "10.0.0.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("fe80::1%ether1", ""),
        ("0.0.0.0", ""),
        ("224.0.0.1", ""),
        ("10.0.0.0/8", ""),
        ("", ""),
    ],
)
def test_addresses_that_can_be_reached(text: str, address: str) -> None:
    assert normal_address(text) == address


@given(st.text(max_size=40))
def test_no_text_breaks_them(text: str) -> None:
    assert normal_mac(normal_mac(text)) == normal_mac(text)
    assert normal_address(normal_address(text)) == normal_address(text)
