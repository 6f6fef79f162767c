"""Addresses, routes, routing protocols, DHCP and firewall against lab routers of all versions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mtd.lab.menus import bgp, firewall, igp, ip
from mtd.lab.scenario import FaultKind
from mtd.model.device import Severity
from mtd.model.metric import Tier
from mtd.testing import run_async
from mtd_collector_dhcp import COLLECTOR as DHCP
from mtd_collector_firewall import COLLECTOR as FIREWALL
from mtd_collector_ip import COLLECTOR as IP
from mtd_collector_routing import COLLECTOR as ROUTING
from tests.integration.plugins.polling import Polled, metric_of, polled

COLLECTORS = (IP, ROUTING, DHCP, FIREWALL)
VERSIONS = ("6.49.10", "7.8", "7.16.2", "7.20.4")
EPOCH_US = 1_790_000_000_000_000
START = 1_234_567
LEASES = 200
UPLINK = "*1"

# What only version 7 tells; what is of IPv6 besides, which is a package in version 6.
ONLY_V7 = {
    "ip.dhcp_routes",
    "ip.vpn_routes",
    "routing.rip.routes",
    "routing.rip.last_update_seconds",
    "routing.rip.rx_packets_total",
    "routing.rip.bad_packets_total",
}
IPV6 = ("ipv6.", "dhcp6.", "firewall.ipv6_", "firewall.chain.", "ip.default_route.state[ipv6]")
ENTIRELY_IPV6 = ("ipv6.", "dhcp6.", "firewall.ipv6_")
RATES = ("_per_s", "_bps", "_pps")


class Clock:
    """The lab's clock, which stands still unless it is moved."""

    def __init__(self, found: Polled) -> None:
        self.tick = START
        found.lab.world.clock.now_tick = lambda: self.tick  # type: ignore[method-assign]


@asynccontextmanager
async def still(version: str, **router: object) -> AsyncIterator[tuple[Polled, Clock]]:
    """Run a lab with one router whose clock stands still."""
    settings = {"name": "twin", "version": version, "interfaces": 26, "leases": LEASES} | router
    async with polled(COLLECTORS, epoch_us=EPOCH_US, **settings) as found:
        yield found, Clock(found)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_menu_is_there_or_not_asked_for(version: str) -> None:
    async def main() -> None:
        async with still(version) as (found, _):
            await found.poll(*Tier, *Tier)
            assert [event.message for event in found.events] == []

    run_async(main(), timeout_s=60)


def test_two_versions_with_one_truth_give_the_same_metrics() -> None:
    async def main() -> None:
        six, seven = [await _values(version) for version in ("6.49.10", "7.16.2")]
        assert {metric_of(name) for name in six} - {metric_of(name) for name in seven} == set()
        more = {metric_of(name) for name in seven} - {metric_of(name) for name in six}
        assert {key for key in more if not key.startswith(ENTIRELY_IPV6)} == ONLY_V7
        assert [name for name in seven if name not in six and not name.startswith(IPV6)] == [
            name for name in seven if metric_of(name) in ONLY_V7
        ]
        compared = {name: value for name, value in six.items() if not metric_of(name).endswith(RATES)}
        assert len(compared) > 60
        # Version 7 tells the uptime of a session to the hundredth of a second.
        exact = {name: value for name, value in compared.items() if "uptime" not in name}
        assert {name: seven[name] for name in exact} == exact
        assert {name: seven[name] for name in compared} == pytest.approx(compared, abs=1.0)

    async def _values(version: str) -> dict[str, float]:
        async with still(version) as (found, clock):
            await found.poll(*Tier)
            clock.tick += 60_000
            await found.poll(*Tier)
            return found.values

    run_async(main(), timeout_s=60)


@pytest.mark.parametrize("version", ["6.49.10", "7.20.4"])
def test_values_are_what_the_lab_knows(version: str) -> None:
    async def main() -> None:
        async with still(version) as (found, clock):
            await found.poll(*Tier)
            state, values = found.lab.router("twin").state, found.values
            transit = bgp.peers(state, clock.tick)[0]
            neighbor = igp.neighbors(state, clock.tick)[0]
            assert transit.since is not None
            peer = f"[{transit.address}]"
            assert values[f"routing.bgp.received_prefixes{peer}"] == transit.prefixes
            assert values[f"routing.bgp.uptime_seconds{peer}"] == pytest.approx(
                (clock.tick - transit.since) / 1000, abs=1.0
            )
            assert values["routing.bgp_peers"] == 3
            assert values["routing.bgp_established_peers"] == 1
            assert values[f"routing.ospf.state[{neighbor.address}]"] == 7
            assert values[f"routing.ospf.state[{neighbor.link_local}%{neighbor.interface}]"] == 7
            assert values["ip.bgp_routes"] == ip.BGP_ROUTES
            assert values["ip.ospf_routes"] == ip.OSPF_ROUTES
            assert values["ip.routes"] == len(ip.ipv4_routes(state, clock.tick))
            assert values["firewall.connections"] == firewall.connections(state, clock.tick)
            leases = state.truth.subscribers.leases(clock.tick)
            bound = [lease for lease in leases if lease.bound]
            assert values["dhcp.leases"] == len(leases) == LEASES
            assert values["dhcp.bound_leases"] == values["dhcp.pool.used[subscribers]"] == len(bound)
            assert values["dhcp.pool.used_pct[subscribers]"] == pytest.approx(100 * len(bound) / (2 * LEASES))
            assert values["dhcp.server.bound_leases[dhcp2]"] == sum(
                lease.server == "dhcp2" for lease in bound
            )
            assert {row["active"] for row in found.tables["default_route"].values()} == {"true", "false"}
            [interface] = [
                row["interface"] for row in found.tables["default_route"].values() if row["active"] == "true"
            ]
            assert interface == state.truth.all_interfaces[0].name

    run_async(main(), timeout_s=60)


@pytest.mark.parametrize("version", ["6.49.10", "7.8"])
def test_pools_are_as_full_as_routers_say_that_tell_it(version: str) -> None:
    async def main() -> None:
        told, listed = [await _use(each) for each in ("7.16.2", version)]
        assert told == listed
        assert told["dhcp.pool.used_pct[subscribers]"] > 0

    async def _use(version: str) -> dict[str, float]:
        async with still(version) as (found, _):
            await found.poll(Tier.T2)
            asked = {reply.command.path for reply in found.replies}
            assert ("/ip/pool/used/print" in asked) is (version != "7.16.2")
            return {name: value for name, value in found.values.items() if name.startswith("dhcp.pool.")}

    run_async(main(), timeout_s=60)


@pytest.mark.parametrize("version", ["6.49.10", "7.16.2"])
def test_a_lost_uplink_is_told_by_each_protocol_and_so_is_its_return(version: str) -> None:
    async def main() -> None:
        async with still(version) as (found, clock):
            await found.poll(Tier.T1, Tier.T2)
            clock.tick += 10_000
            found.lab.inject("twin", FaultKind.LINK_FLAP, interfaces=[UPLINK], for_s=30)
            clock.tick += 1_000
            await found.poll(Tier.T1, Tier.T2)
            down = {(event.event_type, event.new): event for event in found.events}
            bgp_down = down["routing.bgp.state.changed", "down"]
            assert (bgp_down.entity_label, bgp_down.severity) == ("transit", Severity.CRITICAL)
            assert down["routing.bfd.state.changed", "down"].severity is Severity.WARNING
            left = down["ip.default_route.activity.changed", "false"]
            assert (left.entity_id, left.severity) == (f"main {ip.UPSTREAM} 1", Severity.WARNING)
            assert down["ip.default_route.activity.changed", "true"].severity is Severity.INFO
            assert found.values["ip.default_route.state[ipv4]"] == 1
            assert found.values[f"routing.bgp.session_losses_total[{ip.UPSTREAM}]"] == 1
            assert found.tables["bgp_session"][ip.UPSTREAM]["state"] == "down"
            found.events.clear()
            clock.tick += 60_000
            await found.poll(Tier.T1, Tier.T2)
            up = {(event.event_type, event.new) for event in found.events}
            assert ("routing.bgp.state.changed", "established") in up
            assert ("ip.default_route.activity.changed", "true") in up
            assert found.values[f"routing.bgp.uptime_seconds[{ip.UPSTREAM}]"] == pytest.approx(31, abs=1)

    run_async(main(), timeout_s=60)


def test_a_session_that_came_back_between_two_reads_shows_by_its_id() -> None:
    async def main() -> None:
        async with still("7.16.2") as (found, clock):
            await found.poll(Tier.T1)
            found.lab.inject("twin", FaultKind.LINK_FLAP, interfaces=[UPLINK], for_s=2)
            clock.tick += 10_000
            await found.poll(Tier.T1)
            assert [event.entity_label for event in found.events_of("routing.bgp.session.restarted")] == [
                "transit"
            ]
            assert found.events_of("routing.bgp.state.changed") == []

    run_async(main(), timeout_s=60)


def test_without_any_way_out_the_state_is_told_once() -> None:
    async def main() -> None:
        async with still("7.16.2", interfaces=1) as (found, clock):
            await found.poll(Tier.T2)
            found.lab.inject("twin", FaultKind.LINK_FLAP, interfaces=[UPLINK], for_s=600)
            for _ in range(2):
                clock.tick += 60_000
                await found.poll(Tier.T2)
            changes = found.events_of("ip.default_route.changed")
            assert {(event.entity_id, event.new, event.severity) for event in changes} == {
                ("ipv4", "absent", Severity.CRITICAL),
                ("ipv6", "absent", Severity.CRITICAL),
            }
            assert len(changes) == 2

    run_async(main(), timeout_s=60)


@pytest.mark.parametrize("version", ["6.49.10", "7.16.2"])
def test_leases_that_begin_and_end_are_rows_numbers_and_events(version: str) -> None:
    async def main() -> None:
        async with still(version, churn_pct=5.0) as (found, clock):
            await found.poll(Tier.T2)
            before = set(found.tables["dhcp_lease"])
            clock.tick += 60_000
            await found.poll(Tier.T2)
            truth = found.lab.world.router("twin").subscribers
            now = {lease.id: lease.address for lease in truth.leases(clock.tick)}
            assert {key: row["address"] for key, row in found.tables["dhcp_lease"].items()} == now
            assert before != set(now)
            assert found.values["dhcp.leases_begun_total"] == len(set(now) - before)
            assert found.values["dhcp.leases_ended_total"] == len(before - set(now))
            told = {
                kind: {event.entity_id for event in found.events if event.event_type == kind}
                for kind in ("dhcp.lease.added", "dhcp.lease.expired")
            }
            assert told == {"dhcp.lease.added": set(now) - before, "dhcp.lease.expired": before - set(now)}
            assert len(found.events) == sum(map(len, told.values()))
            assert {event.severity for event in found.events} == {Severity.INFO}

    run_async(main(), timeout_s=60)


def test_counters_of_rules_are_those_of_their_tick() -> None:
    async def main() -> None:
        async with still("7.16.2") as (found, clock):
            for _ in range(2):
                await found.poll(Tier.T2)
                clock.tick += 60_000
            state, tick = found.lab.router("twin").state, clock.tick - 60_000
            rows = found.lab.router("twin").console.menus["/ip/firewall/filter"].rows(state, tick)
            drops = [row for row in rows if (row[b"chain"], row[b"action"]) == (b"forward", b"drop")]
            assert len(drops) == 2
            total = sum(int(row[b"bytes"]) for row in drops)
            assert found.values["firewall.chain.matched_bytes_total[filter/forward/drop]"] == total
            for row in drops:
                key = f"firewall.filter.matched_packets_total[{row[b'.id'].decode()}]"
                assert found.values[key] == int(row[b"packets"])

    run_async(main(), timeout_s=60)


def test_big_menus_are_counted_and_no_secret_is_asked_for() -> None:
    async def main() -> None:
        async with still("7.16.2") as (found, _):
            secrets = {"tcp-md5-key", "auth-key", "key", "password", "authentication-key", "reconfigure-key"}
            for tier in Tier:
                for command in found.mapper.commands(tier):
                    assert command.proplist, command.path
                    assert not secrets & set(command.proplist), command.path
                    counted = ("count-only", "") in command.arguments
                    if command.path.endswith("/firewall/connection/print"):
                        assert counted
                    if command.path in {"/ip/route/print", "/ipv6/route/print"} and not counted:
                        assert command.queries in {
                            ("dst-address=0.0.0.0/0",),
                            ("dst-address=::/0",),
                            ("static=true", "dynamic=true", "#!"),
                        }

    run_async(main(), timeout_s=60)
