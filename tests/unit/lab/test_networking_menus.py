"""Which networking menus each version of a lab router has, and that they agree with each other."""

from __future__ import annotations

import pytest

from mtd.lab.console import Console
from mtd.lab.menus import bgp, igp
from mtd.lab.personality import personality
from mtd.lab.scenario import Fault, FaultKind, RouterSpec, Scenario
from mtd.lab.state import RouterState
from mtd.lab.world import World

TICK = 123_456
VERSIONS = ("6.49.10", "7.8", "7.16.2", "7.20.4")
# Menu -> the versions that have it.
PRESENT = {
    "/routing/bgp/peer": ("6.49.10",),
    "/routing/bgp/session": ("7.8", "7.16.2", "7.20.4"),
    "/routing/bgp/instance": ("6.49.10", "7.20.4"),
    "/routing/ospf/neighbor": VERSIONS,
    "/routing/ospf-v3/neighbor": ("6.49.10",),
    "/routing/bfd/neighbor": ("6.49.10",),
    "/routing/bfd/session": ("7.16.2", "7.20.4"),
    "/ip/route/vrf": ("6.49.10",),
    "/ip/vrf": ("7.8", "7.16.2", "7.20.4"),
    "/ipv6/route": ("7.8", "7.16.2", "7.20.4"),
    "/ip/pool/used": VERSIONS,
    "/ip/firewall/connection/tracking": VERSIONS,
}


def console(version: str, fault: Fault | None = None) -> Console:
    spec = RouterSpec(name="r", version=version, interfaces=26, leases=60, fault=[fault] if fault else [])
    world = World(Scenario(router=[spec]), epoch_us=1_790_000_000_000_000)
    return Console(RouterState(world.router("r"), personality(version), world.clock, lambda fault: None))


def rows(of: Console, path: str, tick: int = TICK) -> list[dict[bytes, bytes]]:
    return of.menus[path].rows(of.state, tick)


@pytest.mark.parametrize("version", VERSIONS)
def test_menus_are_those_of_the_version(version: str) -> None:
    found = console(version).menus
    assert {path: path in found for path in PRESENT} == {
        path: version in versions for path, versions in PRESENT.items()
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_have_ids_of_their_own(version: str) -> None:
    found = console(version)
    for path, menu in found.menus.items():
        if not path.startswith(("/ip/", "/ipv6/", "/routing/", "/mpls/")):
            continue
        ids = [row[b".id"] for row in menu.rows(found.state, TICK) if b".id" in row]
        assert len(set(ids)) == len(ids), path


@pytest.mark.parametrize("version", ["7.8", "7.16.2"])
def test_pools_are_as_full_as_there_are_leases(version: str) -> None:
    found = console(version)
    bound = [row for row in rows(found, "/ip/dhcp-server/lease") if row[b"status"] == b"bound"]
    assert len(rows(found, "/ip/pool/used")) == len(bound) == 57
    [pool, _] = rows(found, "/ip/pool")
    assert pool.get(b"used") == (None if version == "7.8" else b"57")


@pytest.mark.parametrize("version", VERSIONS)
def test_what_goes_over_a_link_goes_with_it(version: str) -> None:
    lost = Fault(kind=FaultKind.LINK_FLAP, interfaces=["*1"], at_s=60, for_s=30)
    found = console(version, lost)
    for second, up in ((59, True), (61, False), (91, True)):
        tick = second * 1000
        transit = bgp.peers(found.state, tick)[0]
        assert (transit.since is not None) is up
        [default] = [
            row
            for row in rows(found, "/ip/route", tick)
            if row[b"dst-address"] == b"0.0.0.0/0" and row.get(b"active") == b"true"
        ]
        assert (default[b"distance"] == b"1") is up
    assert bgp.peers(found.state, 91_000)[0].since == 90_000


def test_both_major_versions_tell_of_the_same_neighbours() -> None:
    six, seven = console("6.49.10"), console("7.20.4")
    assert igp.neighbors(six.state, TICK) == igp.neighbors(seven.state, TICK)
    assert bgp.peers(six.state, TICK) == bgp.peers(seven.state, TICK)
    addresses = [row[b"address"] for row in rows(six, "/routing/ospf/neighbor")]
    assert [row[b"address"] for row in rows(seven, "/routing/ospf/neighbor")][: len(addresses)] == addresses
