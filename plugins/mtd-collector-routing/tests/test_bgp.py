from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.model.command import Rows
from mtd.testing.replies import rows_of
from mtd.testing.strategies import rows
from mtd_collector_routing import bgp

PEER = {"name": "transit", "remote.address": "198.51.100.1"}
SESSION = {"name": "transit-1", "remote.address": "198.51.100.1", "established": "true", "uptime": "1h"}


def v7(connections: list[dict[str, Any]], sessions: list[dict[str, Any]]) -> list[dict[str, bytes]]:
    return bgp.peers_of_version_7(rows_of(connections), {"sessions": rows_of(sessions)}).dicts()


def v6(*peers: dict[str, Any], instances: tuple[dict[str, Any], ...] = ()) -> list[dict[str, bytes]]:
    return bgp.peers_of_version_6(rows_of(peers), {"instances": rows_of(instances)}).dicts()


def test_a_configured_peer_without_a_session_is_down() -> None:
    [row] = v7([PEER], [])
    assert (row["peer"], row["state"]) == (b"198.51.100.1", b"down")
    assert "uptime" not in row


@pytest.mark.parametrize(
    "configured", ["198.51.100.1/32", "198.51.100.1", "198.51.100.1@cust", "198.51.100.1/32@cust"]
)
def test_a_peer_is_written_in_several_ways(configured: str) -> None:
    [row] = v7([PEER | {"remote.address": configured}], [SESSION])
    assert row["remote-address"] == b"198.51.100.1"
    assert row["state"] == b"established"


def test_only_an_established_session_has_an_id() -> None:
    """Each attempt to reach a dead peer is a session with another id: none of them broke."""
    [up] = v7([PEER], [SESSION | {".id": "*1"}])
    assert up["session"] == b"*1"
    [attempt] = v7([PEER], [SESSION | {".id": "*2", "established": "false"}])
    assert (attempt["state"], attempt.get("session")) == (b"down", None)


def test_a_peer_keeps_its_key_whether_it_is_up_or_not() -> None:
    configured = PEER | {"vrf": "cust"}
    of_session = SESSION | {"remote.address": "198.51.100.1@cust"}
    assert [row["peer"] for row in v7([configured], [])] == [
        row["peer"] for row in v7([configured], [of_session])
    ]


@pytest.mark.parametrize(
    ("connection", "session", "state", "detail"),
    [
        ({}, {"established": "true"}, b"established", None),
        ({}, {"established": "false"}, b"down", None),
        ({}, {"stopped": ""}, b"disabled", b"stopped"),
        ({}, {"stopped": "false"}, b"down", None),
        ({}, {"limit-exceeded": ""}, b"down", b"limit-exceeded"),
        ({"disabled": "true"}, {"established": "true"}, b"disabled", None),
        ({"inactive": "true"}, {}, b"down", b"inactive"),
    ],
)
def test_states_of_version_7(
    connection: dict[str, str], session: dict[str, str], state: bytes, detail: bytes | None
) -> None:
    [row] = v7([PEER | connection], [{"name": "transit-1", "remote.address": "198.51.100.1"} | session])
    assert (row["state"], row.get("detail")) == (state, detail)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"state": "established"}, b"established"),
        ({"established": "true"}, b"established"),
        ({"state": "opensent", "established": "false"}, b"down"),
        ({"state": "idle", "disabled": "true"}, b"disabled"),
        ({}, None),
    ],
)
def test_states_of_version_6(told: dict[str, str], state: bytes | None) -> None:
    [row] = v6({"name": "a", "remote-address": "10.0.0.1"} | told)
    assert row.get("state") == state


def test_both_versions_know_a_peer_by_the_same_key() -> None:
    peer = {"name": "a", "instance": "cust", "remote-address": "10.0.0.1", "state": "idle"}
    [old] = v6(peer, instances=({"name": "cust", "routing-table": "cust", "as": "64500"},))
    [new] = v7([{"name": "a", "remote.address": "10.0.0.1/32", "vrf": "cust", "as": "64500"}], [])
    assert {name: old[name] for name in ("peer", "state", "vrf", "local-as", "name")} == {
        name: new[name] for name in ("peer", "state", "vrf", "local-as", "name")
    }


def test_peers_of_a_network_are_there_once_they_call() -> None:
    network = {"name": "members", "remote.address": "192.0.2.0/24", "listen": "true"}
    assert v7([network], []) == []
    called = [
        {"name": f"members-{n}", "remote.address": f"192.0.2.{n}", "established": "true"} for n in (1, 2)
    ]
    assert [(row["peer"], row["name"]) for row in v7([network], called)] == [
        (b"192.0.2.1", b"members-1"),
        (b"192.0.2.2", b"members-2"),
    ]


def test_two_peers_with_one_address_are_told_apart_by_name() -> None:
    twice = [PEER | {"name": name} for name in ("first", "second")]
    assert [row["peer"] for row in v7(twice, [])] == [b"198.51.100.1", b"198.51.100.1#second"]


def test_a_session_that_is_called_otherwise_belongs_by_its_address() -> None:
    [row] = v7([PEER], [SESSION | {"name": "other"}])
    assert (row["name"], row["state"]) == (b"transit", b"established")


def test_a_session_that_nobody_configured_is_told_all_the_same() -> None:
    [row] = v7([], [SESSION])
    assert (row["peer"], row["name"], row["state"]) == (b"198.51.100.1", b"transit-1", b"established")


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_whatever_a_router_sends_no_key_is_there_twice_without_a_reason(data: st.DataObject) -> None:
    connections = data.draw(rows(*bgp.V7_READS))
    sessions = data.draw(rows(*bgp.V7_SESSIONS))
    made = bgp.peers_of_version_7(connections, {"sessions": sessions})
    assert made.count <= connections.count + sessions.count
    assert set(made.column("state")) <= {b"down", b"established", b"disabled"}
    assert bgp.peers_of_version_7(connections, {}).count <= connections.count
    peers = data.draw(rows(*bgp.V6_READS))
    assert bgp.peers_of_version_6(peers, {"instances": Rows()}).count <= peers.count
