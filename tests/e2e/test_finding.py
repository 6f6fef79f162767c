"""A router announces itself, is adopted and polled; tools run on it; all of it is told."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from mtd.testing.harness import free_port
from tests.e2e.kit import Rig, rig, wait_for

MNDP_PORT = free_port()


@pytest.fixture(scope="module")
def running() -> Iterator[Rig]:
    discovery = {
        "mndp": True,
        "mndp_host": "127.0.0.1",
        "mndp_port": MNDP_PORT,
        "subnets": ["127.0.0.0/30"],
        "scan_timeout_s": 0.5,
    }
    settings = {"discovery": discovery, "diagnostics": {"max_bandwidth_bps": 20_000_000}}
    with rig("fleet", "--routers", "2", "--interfaces", "4", settings=settings) as stage:
        yield stage


def announce(identity: str, mac: str) -> None:
    def field(kind: int, value: bytes) -> bytes:
        return struct.pack(">HH", kind, len(value)) + value

    datagram = (
        b"\0\0\0\1" + field(1, bytes.fromhex(mac)) + field(5, identity.encode()) + field(8, b"MikroTik")
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(datagram, ("127.0.0.1", MNDP_PORT))


def proposals(running: Rig, *options: str) -> dict[str, dict[str, object]]:
    found = running.mtd("discovery", "list", "--json", *options).json()
    return {one["identity"]: one for one in found}


def test_a_router_that_announces_itself_is_adopted_and_polled(running: Rig) -> None:
    announce("found-1", "488f5a0000f1")
    announce("unwanted", "488f5a0000f2")
    wait_for(lambda: {"found-1", "unwanted"} <= proposals(running).keys(), "both are proposed", 20)
    one = proposals(running)["found-1"]
    assert (one["address"], one["found_by"], one["state"]) == ("127.0.0.1", ["mndp"], "new")
    router = running.routers["lab-0001"]
    identity = str(one["id"])
    answer = running.mtd(
        "discovery", "adopt", identity[:10], "--user", router["username"], "--password", router["password"],
        "--port", str(router["port"]), "--json",
    )  # fmt: skip
    assert answer.json()["name"] == "found-1"
    running.wait_until_polled("found-1")
    running.mtd("discovery", "ignore", str(proposals(running, "--all")["unwanted"]["id"]), "--json")
    # The other announcement came from the address that is polled now: it is known.
    assert not {"found-1", "unwanted"} & proposals(running).keys()
    assert {
        name: p["state"] for name, p in proposals(running, "--state", "ignored", "--state", "adopted").items()
    } == {
        "found-1": "adopted",
        "unwanted": "ignored",
    }
    running.mtd("discovery", "restore", str(proposals(running, "--state", "ignored")["unwanted"]["id"]))
    assert proposals(running, "--all")["unwanted"]["known_by"] == "address"
    assert (
        "already" in running.mtd("discovery", "adopt", identity, "--user", "u", "--password", "", code=1).err
    )


def test_a_listed_subnet_is_scanned_and_no_other(running: Rig) -> None:
    report = running.mtd("discovery", "scan", "127.0.0.0/30", "--json").json()
    assert (report["addresses"], report["done"]) == (2, 2)
    assert "discovery.subnets" in running.mtd("discovery", "scan", "10.0.0.0/30", code=1).err


def test_neighbours_of_a_polled_router_are_links_and_proposals(running: Rig) -> None:
    def links() -> list[dict[str, object]]:
        found = list(running.mtd("discovery", "neighbors", "found-1", "--json").json())
        # Interfaces may be read after neighbours.
        return found if all(link["interface_id"] and link["interface_name"] for link in found) else []

    found = wait_for(links, "its neighbours are known", 30)
    assert {link["seen_at"]["device_name"] for link in found} == {"found-1"}  # type: ignore[index]
    assert {link["interface_name"] for link in found} == {"ether1"}
    names = {str(link["identity"]) for link in found}
    proposed = wait_for(
        lambda: names <= proposals(running).keys() and proposals(running), "they are proposed", 20
    )
    one = proposed[min(names)]
    assert one["found_by"] == ["neighbor"]
    assert [where["device_name"] for where in one["seen_at"]] == ["found-1"]  # type: ignore[union-attr,index,attr-defined]


def test_a_tool_runs_beside_the_polling_and_is_on_the_timeline(running: Rig) -> None:
    *pings, end = running.mtd(
        "ping", "found-1", "192.0.2.1", "--count", "3", "--interval", "10", "--json"
    ).lines()
    assert [row["sequence"] for row in pings] == [0, 1, 2]
    assert end["end"]["reason"] == "finished"
    told = running.mtd("torch", "found-1", "ether9", code=1).err
    assert "has no interface 'ether9'" in told
    assert "isn't between" in running.mtd("ping", "found-1", "192.0.2.1", "--seconds", "9999", code=1).err
    samples = running.mtd("bandwidth-test", "found-1", "192.0.2.9", "--seconds", "1", "--json").lines()
    assert 0 < samples[-2]["rx_bps"] <= 20_000_000

    def tool_events() -> list[str]:
        found = running.events("--device", "found-1")
        return [event["message"] for event in found if event["event_type"] == "tool.ended"]

    messages = wait_for(lambda: len(tool_events()) >= 3 and tool_events(), "the runs are on the timeline", 20)
    assert "ping address=192.0.2.1 count=3" in messages[0]
    assert "done: 3 rows" in messages[0]
    assert "failed (found-1 has no interface" in messages[1]
    assert running.devices()["found-1"]["status"] == "up"
    started = [
        event for event in running.events() if event["event_type"] in ("scan.started", "proposal.adopted")
    ]
    assert {event["event_type"] for event in started} == {"scan.started", "proposal.adopted"}
    kept = running.mtd("runs", "found-1", "--json").json()
    assert [(run["tool"], run["result"], run["row_count"]) for run in kept][-2:] == [
        ("torch", "failed", 0),
        ("ping", "done", 3),
    ]
    assert [row["sequence"] for row in kept[-1]["rows"]] == [0, 1, 2]
    # Runs are not among the documents that everybody may read.
    assert not any(
        "tool." in one["kind"] for one in running.mtd("snapshots", "found-1", "--json").json()["documents"]
    )
    running.verify()
