"""Captures of networking that only make sense together, and what is expected of others in the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtd.model.metric import Tier
from mtd.testing.observations import values_of
from mtd.testing.replies import load_capture
from mtd_collector_firewall import COLLECTOR as FIREWALL
from mtd_collector_routing import COLLECTOR as ROUTING
from tests.contract.captured import CHUNKS, able_mapper_of, folder, poll

pytestmark = pytest.mark.rosdata


@pytest.fixture
def api() -> Path:
    found = folder()
    if found is None:
        pytest.skip("MTD_ROSDATA names no folder with captures of real routers")
    return found


@pytest.mark.parametrize("chunk", CHUNKS)
def test_rosdata_a_session_of_version_7_with_its_connection(api: Path, chunk: int) -> None:
    sessions = load_capture(api / "issues/v7_routing_bgp_session.json")
    # The client that took it calls the id otherwise.
    sessions = [row | {".id": row["id"]} for row in sessions]
    connection = {".id": "*1", "name": "bogon", "remote.address": "10.10.100.56/32", "comment": "Bogons"}
    other = {".id": "*2", "name": "other", "remote.address": "10.10.100.99", "remote.as": 65534}
    captures = {
        "/routing/bgp/connection/print": [connection, other],
        "/routing/bgp/session/print": sessions,
    }
    observation = poll(able_mapper_of(ROUTING), Tier.T1, 0.0, captures, chunk)
    assert values_of(observation.frame) == {
        "routing.bgp.state[10.10.100.56]": 1,
        "routing.bgp.uptime_seconds[10.10.100.56]": 3190.72,
        "routing.bgp.received_prefixes[10.10.100.56]": 0,
        "routing.bgp.state[10.10.100.99]": 0,
        "routing.bgp_peers": 2,
        "routing.bgp_established_peers": 1,
        "routing.bgp.session_losses_total[10.10.100.56]": 0,
    }
    [table] = [change for change in observation.tables if change.table == "bgp_session"]
    row = table.upserted["10.10.100.56"]
    assert {key: row[key] for key in ("name", "remote-as", "local-as", "role", "hold-time", "session")} == {
        "name": "bogon",
        "remote-as": "65533",
        "local-as": "65532",
        "role": "ebgp",
        "hold-time": "3m",
        "session": "*2800001",
    }


@pytest.mark.parametrize("name", ["test_get_bgp_neighbors/ipv4-only", "test_get_bgp_neighbors_detail/normal"])
def test_rosdata_a_peer_of_version_6_with_its_instance(api: Path, name: str) -> None:
    captures = {
        f"/routing/bgp/{menu}/print": load_capture(api / f"napalm-ros/{name}/_routing_bgp_{menu}_print.json")
        for menu in ("peer", "instance")
    }
    observation = poll(able_mapper_of(ROUTING), Tier.T1, 0.0, captures)
    assert values_of(observation.frame) == {
        "routing.bgp.state[10.0.0.2]": 1,
        "routing.bgp.uptime_seconds[10.0.0.2]": 11_884_941,  # 19w4d13h22m21s
        "routing.bgp.received_prefixes[10.0.0.2]": 1,
        "routing.bgp_peers": 1,
        "routing.bgp_established_peers": 1,
        "routing.bgp.session_losses_total[10.0.0.2]": 0,
    }
    [table] = [change for change in observation.tables if change.table == "bgp_session"]
    assert table.upserted["10.0.0.2"] == {
        "peer": "10.0.0.2",
        "name": "A Peer",
        "state": "established",
        "detail": "established",
        "remote-address": "10.0.0.2",
        "remote-as": "65535",
        "remote-id": "10.0.0.2",
        "local-address": "10.0.0.1",
        "local-as": "65534",
        "instance": "default",
        "families": "ip",
        "hold-time": "30s",
        "bfd": "false",
        "disabled": "false",
    }


def test_rosdata_lists_are_counted_where_they_are_short(api: Path) -> None:
    captures = {
        f"/{family}/firewall/address-list/print": load_capture(
            api / f"terraform-routeros/{family}__firewall__address-list.json"
        )
        for family in ("ip", "ipv6")
    }
    values = values_of(poll(able_mapper_of(FIREWALL), Tier.T3, 0.0, captures).frame)
    assert values["firewall.address_list.list_entries[AAA]"] == 1
    assert values["firewall.ipv6_address_list.list_entries[AAA]"] == 1


def test_rosdata_rules_are_documents_without_their_counters(api: Path) -> None:
    captures = {"/ip/firewall/nat/print": load_capture(api / "terraform-routeros/ip__firewall__nat.json")}
    observation = poll(able_mapper_of(FIREWALL), Tier.T3, 0.0, captures)
    [document] = [json.loads(found.content) for found in observation.documents]
    assert document == [
        {
            ".id": "*2",
            "chain": "srcnat",
            "action": "masquerade",
            "src-address-list": "LAN",
            "out-interface": "all-wireless",
            "log": "false",
            "disabled": "false",
        }
    ]
