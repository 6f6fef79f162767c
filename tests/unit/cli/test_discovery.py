"""``mtd discovery`` against a door on a real socket."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.unit.api.finding_fakes import PROPOSAL
from tests.unit.cli.conftest import Commands, DoorInThread


def test_proposals_are_listed_adopted_and_ignored(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    told = mtd("discovery", "list", *server).output
    for text in (
        "30000000",
        "sw-17",
        "192.0.2.17",
        "CRS326",
        "mndp, scan",
        "core-1 ether3",
        "is core-1 (mac)",
    ):
        assert text in told
    (one, *_) = json.loads(mtd("discovery", "list", "--all", "--json", *server).output)
    assert (one["id"], one["ports"]) == (PROPOSAL.proposal_id, [8728, 443])
    added = mtd(
        "discovery", "adopt", "3000", "--user", "monitor", "--password", "pw", "--tls", "insecure", *server
    )
    assert "sw-17 at 192.0.2.17 is in the inventory" in added.output
    assert door.discovery.asked[-1][3] == "pw"
    named = mtd(
        "discovery", "adopt", "3000", "--name", "x", "--user", "u", "--password", "", "--json", *server
    )
    assert json.loads(named.output)["name"] == "x"
    assert "sw-17 is ignored." in mtd("discovery", "ignore", "3000", *server).output
    assert "Nothing new was found" in mtd("discovery", "list", *server).output
    assert "sw-17 is listed again." in mtd("discovery", "restore", "3000", *server).output
    assert "there is no proposal" in mtd("discovery", "ignore", "4000", *server, code=1).output


def test_what_devices_say_steers_no_terminal(mtd: Commands, door: DoorInThread) -> None:
    door.discovery.held = replace(PROPOSAL, identity="[red]\x1b[31mx")
    told = mtd("discovery", "list", "--server", door.target).output
    assert "[red]\N{REPLACEMENT CHARACTER}[31mx" in told


def test_a_scan_tells_what_answers(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    told = mtd("discovery", "scan", "192.0.2.0/24", *server).output
    assert "2 of 2 addresses looked at, 1 routers" in told
    assert "192.0.2.1" in told
    found = json.loads(mtd("discovery", "scan", "192.0.2.0/24", "--web", "--json", *server).output)
    assert found["findings"] == [{"address": "192.0.2.1", "port": 8728, "service": "api"}]
    assert door.discovery.asked[-1][2] is True
    assert "discovery.subnets" in mtd("discovery", "scan", "10.0.0.0/8", *server, code=1).output


def test_links_are_shown(mtd: Commands, door: DoorInThread) -> None:
    server = ("--server", door.target)
    told = mtd("discovery", "neighbors", "core-1", *server).output
    for text in ("core-1", "ether3", "bridge/ether1", "lldp,mndp", "48:8F:5A:00:00:17"):
        assert text in told
    (link, *_) = json.loads(mtd("discovery", "neighbors", "--json", *server).output)
    assert (link["interface_id"], link["neighbor_interface_id"]) == ("*3", "*1")
