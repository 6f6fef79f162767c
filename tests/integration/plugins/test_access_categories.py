"""Wireless networks, modems, sessions, VPNs and queues against lab routers of all versions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from mtd.lab.menus.lte import cell_of
from mtd.lab.menus.wireless import Client, clients
from mtd.lab.state import RouterState
from mtd.model.device import Severity
from mtd.model.metric import Tier
from mtd.plugin.config import T0Config
from mtd.testing import run_async
from mtd_collector_interfaces import COLLECTOR as INTERFACES
from mtd_collector_lte import COLLECTOR as LTE
from mtd_collector_ppp import COLLECTOR as PPP
from mtd_collector_queues import COLLECTOR as QUEUES
from mtd_collector_wireless import COLLECTOR as WIRELESS
from tests.integration.plugins.polling import Polled, metric_of, polled

COLLECTORS = (WIRELESS, LTE, PPP, QUEUES)
VERSIONS = ("6.49.10", "7.8", "7.16.2", "7.20.4")
# Tables give the ids that monitors want, and the names that figures are of: the second read has them.
ALL = (Tier.T3, Tier.T2, Tier.T2, Tier.T2, Tier.T1, Tier.T1, Tier.T0, Tier.T0)
SHAPES: dict[str, dict[str, Any]] = {
    "wireless": {"version": "6.49.10"},
    "caps-man": {"version": "6.49.10", "caps": 2},
    "wifiwave2": {"version": "7.8", "wifi": "wifiwave2"},
    "wifi": {"version": "7.16.2"},
    "wifi-controller": {"version": "7.20.4", "caps": 2},
}

# What only one of the two major versions tells.
ONLY_V6 = {
    # of the old package's monitor; here version 7 has the new one
    "wireless.iface.noise_floor_dbm",
    "wireless.iface.tx_ccq_pct",
    "wireless.iface.radio_state",
}
ONLY_V7 = {
    "wireguard.interface.peers",
    "wireguard.peer.handshake_age_seconds",
    "wireguard.peer.rx_bps",
    "wireguard.peer.rx_bytes_total",
    "wireguard.peer.state",
    "wireguard.peer.tx_bps",
    "wireguard.peer.tx_bytes_total",
}
# These move while one router is read after the other.
DRIFTING = (
    "_dbm",
    "_db",
    "_queued_bytes",
    "_queued_packets",
    ".queued_bytes",
    ".queued_packets",
    "weak_clients",
)
STILL = 40


def router(version: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "twin",
        "version": version,
        "interfaces": 4,
        "radios": 3,
        "wireless_clients": 12,
        "modems": 2,
        "pppoe": 6,
        "hotspot": 4,
        "vpns": 4,
        "queues": 5,
        "churn_pct": 0,
    } | more


def truth_of(found: Polled) -> tuple[RouterState, int]:
    return found.lab.router("twin").state, found.lab.world.clock.now_tick()


def clients_of(found: Polled) -> list[Client]:
    return list(clients(*truth_of(found)))


@pytest.mark.parametrize("version", VERSIONS)
def test_every_menu_is_there_or_not_asked_for(version: str) -> None:
    async def main() -> None:
        async with polled(COLLECTORS, **router(version)) as found:
            await found.poll(*ALL)
            # What has another name in another version is asked for once.
            missing = {event.entity_id for event in found.events_of("device.menu.changed")}
            older = {"/interface/lte/monitor"}
            assert missing == (older if version.startswith("6") else set())
            assert found.events_of("collector.quarantined") == []
            found.events.clear()
            await found.poll(*ALL)
            assert found.events_of("device.menu.changed") == []
            kept = (
                "wireless_client",
                "lte_registration",
                "ppp_session",
                "ipsec_policy",
                "tunnel",
                "queue_simple",
            )
            assert [table for table in kept if not found.tables[table]] == []
            state, tick = truth_of(found)
            assert found.tables["lte_registration"]["*C00001"]["current-cellid"] in {
                str(cell_of(state, 0, tick - ago)) for ago in (0, 20_000)
            }

    run_async(main(), timeout_s=60)


def test_two_versions_with_one_truth_give_the_same_metrics() -> None:
    async def values(version: str, epoch_us: int) -> dict[str, float]:
        async with polled(COLLECTORS, epoch_us=epoch_us, **router(version)) as found:
            await found.poll(*ALL)
            return found.values

    async def main() -> None:
        epoch_us = time.time_ns() // 1000
        six, seven = [await values(version, epoch_us) for version in ("6.49.10", "7.16.2")]
        assert {metric_of(name) for name in six} - {metric_of(name) for name in seven} == ONLY_V6
        assert {metric_of(name) for name in seven} - {metric_of(name) for name in six} == ONLY_V7
        both = [name for name in six if metric_of(name) not in ONLY_V6]
        assert {name for name in seven if metric_of(name) not in ONLY_V7} == set(both)
        still = 0
        for name in both:
            key = metric_of(name)
            if key.endswith("_total") and not key.startswith(("ppp.", "hotspot.", "wireless.")):
                assert seven[name] >= six[name], name  # it was read later
            elif key.endswith(DRIFTING):
                assert seven[name] == pytest.approx(
                    six[name], abs=9_600 if key.endswith("queued_bytes") else 12
                ), name
            elif not key.endswith(("_bps", "_pps", "_seconds", "channel_quality")):
                assert seven[name] == six[name], name
                still += 1
        assert still > STILL

    run_async(main(), timeout_s=60)


@pytest.mark.parametrize("shape", SHAPES)
def test_clients_are_the_same_in_all_shapes(shape: str) -> None:
    async def main() -> None:
        async with polled([WIRELESS], **router(**SHAPES[shape])) as found:
            await found.poll(Tier.T1, Tier.T1, Tier.T0)
            truth = {client.mac_address: client for client in clients_of(found)}
            prefix = "cap" if shape == "caps-man" else ""
            assert len(truth) == 12
            assert found.values["wireless.clients"] == 12
            table = found.tables["wireless_client"]
            assert {row["mac-address"] for row in table.values()} == set(truth)
            for key, row in table.items():
                client = truth[row["mac-address"]]
                assert key == prefix + client.id
                assert row["ssid"] == client.radio.ssid
                assert row["tx-rate"] == str(client.tx_rate * 100_000)
                assert int(row["signal"]) == pytest.approx(client.signal_dbm, abs=8)
                assert 0 <= int(row["tx-bytes"]) <= client.tx_bytes
            served = [client.radio.id for client in truth.values()]
            for radio in {client.radio.id for client in truth.values()}:
                assert found.values[f"wireless.iface.clients[{prefix}{radio}]"] == served.count(radio)
            for ssid in ("Lab", "Lab-guests"):
                wanted = sum(client.radio.ssid == ssid for client in truth.values())
                assert found.values[f"wireless.ssid.clients[{ssid}]"] == wanted
            caps = SHAPES[shape].get("caps", 0)
            assert len(found.tables.get("wireless_cap", {})) == caps
            assert found.values.get("wireless.caps") == (caps or None)

    run_async(main(), timeout_s=60)


def test_names_of_clients_come_from_leases_where_there_are_few() -> None:
    async def names(leases: int) -> tuple[set[str], set[str]]:
        settings = router("7.16.2", leases=leases, radios=1)
        async with polled([WIRELESS], **settings) as found:
            known = {fact.name: fact for fact in found.facts.capabilities}["dhcp.leases.few"]
            await found.poll(Tier.T1)
            asked = {reply.command.path for reply in found.replies}
            return asked, {known.detail if known.present else "many"}

    async def main() -> None:
        path = "/ip/dhcp-server/lease/print"
        asked, few = await names(100)
        assert path in asked
        assert few == {"95"}  # every twentieth waits for its client
        asked, few = await names(400)
        assert path not in asked
        assert few == {"many"}

    run_async(main(), timeout_s=60)


def test_who_comes_and_goes_is_counted() -> None:
    settings = router("7.16.2", churn_pct=50, churn_every_s=0.2)

    async def main() -> None:
        async with polled([WIRELESS, PPP], **settings) as found:
            await found.poll(Tier.T1)
            before = set(found.tables["wireless_client"]), set(found.tables["hotspot_session"])
            await until(
                found,
                lambda: (
                    found.values["wireless.clients_joined_total"] >= 12
                    and found.values["hotspot.sessions_begun_total"] >= 4
                ),
            )
            assert (
                found.values["wireless.clients_left_total"] == found.values["wireless.clients_joined_total"]
            )
            assert found.values["hotspot.sessions"] == 4
            assert found.values["hotspot.sessions_begun_per_s"] > 0
            assert not before[0] & set(found.tables["wireless_client"])
            assert not before[1] & set(found.tables["hotspot_session"])
            assert found.events_of("collector.quarantined") == []

    run_async(main(), timeout_s=60)


async def until(found: Polled, condition: Callable[[], bool]) -> None:
    """Poll the sessions until something is true."""
    async with asyncio.timeout(30):
        while not condition():
            await found.poll(Tier.T1)


def test_a_drop_of_sessions_is_seen_in_the_table_and_the_counts() -> None:
    async def main() -> None:
        async with polled([PPP], **router("7.16.2", pppoe=40)) as found:
            await found.poll(Tier.T1, Tier.T3)
            assert found.values["ppp.sessions"] == found.values["ppp.service.sessions[pppoe]"] == 40
            assert (
                sum(found.values[f"ppp.profile.secrets[{name}]"] for name in ("basic", "fast", "office"))
                == 40
            )
            found.lab.inject("twin", "pppoe-drop", sessions=3, for_s=600)
            await found.poll(Tier.T1)
            assert found.values["ppp.sessions"] == 3
            assert found.values["ppp.sessions_ended_total"] == 37
            assert len(found.tables["ppp_session"]) == 3

    run_async(main(), timeout_s=60)


def test_interfaces_where_subscribers_arrive_are_read_live() -> None:
    async def main() -> None:
        settings = {"name": "twin", "version": "7.16.2", "interfaces": 40, "pppoe": 3}
        async with polled([INTERFACES, PPP], t0=T0Config(), **settings) as found:
            await found.poll(Tier.T0, Tier.T3, Tier.T2, Tier.T1, Tier.T0, Tier.T1)
            [server] = found.tables["pppoe_server"].values()
            reasons = {row["instance"]: row["reason"] for row in found.tables["t0_selection"].values()}
            [live] = [instance for instance, reason in reasons.items() if reason == "pppoe_server"]
            assert found.tables["interface"][live]["name"] == server["interface"]

    run_async(main(), timeout_s=60)


def test_queues_are_counted_and_their_rates_are_the_truth() -> None:
    async def main() -> None:
        async with polled([QUEUES], **router("6.49.10", queues=8)) as found:
            await found.poll(Tier.T3, Tier.T1, Tier.T2, Tier.T0)
            first = dict(found.values)
            assert first["queue.simple_static"] == 8
            assert first["queue.simple_dynamic"] == 6
            assert first["queue.simple.state[*8]"] == 0
            assert first["queue.simple.upload_limit_bps[*1]"] == 2e6
            assert "queue.simple.download_limit_bps[*4]" not in first
            await asyncio.sleep(0.3)
            await found.poll(Tier.T0)
            for number in range(1, 9):
                grown = found.values[f"queue.simple.download_bytes_total[*{number}]"]
                assert grown > first[f"queue.simple.download_bytes_total[*{number}]"]
                # The curve swings by half around its mean.
                mean_bps = 8 * (40_000 + 100 * (number - 1))
                assert mean_bps * 0.3 < found.values[f"queue.simple.download_bps[*{number}]"] < mean_bps * 1.7
            assert {row["name"] for row in found.tables["queue_tree"].values()} == {"class-1", "class-2"}
            assert "<pppoe-subscriber1>" not in str(found.documents["queue.interface"])

    run_async(main(), timeout_s=60)


def test_of_many_queues_the_busiest_are_live_and_the_rest_is_read_more_seldom() -> None:
    async def main() -> None:
        async with polled([QUEUES], t0=T0Config(), **router("7.16.2", queues=60)) as found:
            await found.poll(Tier.T3, Tier.T0, Tier.T1, Tier.T0, Tier.T1)
            read = {
                series for series in found.values if metric_of(series) == "queue.simple.upload_bytes_total"
            }
            assert len(read) == 60
            found.values.clear()
            await found.poll(Tier.T0)
            live = {
                series for series in found.values if metric_of(series) == "queue.simple.upload_bytes_total"
            }
            assert 0 < len(live) < 20
            await found.poll(Tier.T1)
            read = {
                series for series in found.values if metric_of(series) == "queue.simple.upload_bytes_total"
            }
            assert len(read) == 60

    run_async(main(), timeout_s=60)


def test_of_very_many_queues_there_are_no_series() -> None:
    async def main() -> None:
        async with polled([QUEUES], **router("7.16.2", queues=1_001)) as found:
            await found.poll(Tier.T3, Tier.T0, Tier.T1, Tier.T2)
            assert not [name for name in found.values if name.startswith("queue.simple.")]
            assert found.values["queue.simple_static"] == 1_001
            assert len(found.tables["queue_simple"]) == 1_001

    run_async(main(), timeout_s=60)


def test_vpns_have_their_states() -> None:
    async def main() -> None:
        async with polled([PPP], **router("7.16.2", vpns=6)) as found:
            await found.poll(Tier.T2, Tier.T1)
            # Every fourth policy never comes up; the first may be in its minute.
            states = [found.values[f"ipsec.policy.state[*100000{number}]"] for number in range(2, 7)]
            assert states == [1, 1, 0, 1, 1]
            assert found.values["ipsec.sas"] == 2 * found.values["ipsec.established_peers"]
            assert [found.values[f"wireguard.peer.state[*{number}]"] for number in range(1, 4)] == [1, 0, 2]
            assert "wireguard.peer.handshake_age_seconds[*3]" not in found.values
            assert found.values["wireguard.interface.peers[wireguard1]"] == 6
            assert {
                kind: found.values[f"tunnel.kind.running[{kind}]"] for kind in ("eoip", "gre", "ipip")
            } == {
                "eoip": 4,
                "gre": 4,
                "ipip": 4,
            }
            assert found.values["vpn_client.kind.running[sstp]"] == 1

    run_async(main(), timeout_s=60)


def test_a_tunnel_that_fails_and_a_modem_that_moves_are_events() -> None:
    async def main() -> None:
        # Tunnels fail, and modems move, at moments of the lab's time: it begins half a minute before.
        epoch_us = time.time_ns() // 1000 - 510_000_000
        async with polled([PPP, LTE], epoch_us=epoch_us, **router("7.20.4")) as found:
            await found.poll(Tier.T1, Tier.T2, Tier.T2)
            assert found.values["ipsec.policy.state[*1000001]"] == 1
            found.lab.world.clock.skip(45)
            await found.poll(Tier.T1, Tier.T2)
            [event] = found.events_of("ipsec.policy.changed")
            assert (event.severity, event.message) == (
                Severity.WARNING,
                "IPsec 10.0.0.0/16 > 10.1.0.0/16 is down",
            )
            assert found.values["ipsec.sas"] == 4
            assert found.events_of("lte.cell.changed") == []
            found.lab.world.clock.skip(60)
            await found.poll(Tier.T1, Tier.T2)
            assert {event.entity_label for event in found.events_of("lte.cell.changed")} == {"lte1", "lte2"}
            assert found.values["ipsec.policy.state[*1000001]"] == 1

    run_async(main(), timeout_s=60)


def test_no_secret_and_no_subscriber_number_is_asked_for() -> None:
    secrets = {
        *("password", "secret", "ipsec-secret", "private-key", "preshared-key", "enc-key", "auth-key"),
        *("imei", "imsi", "iccid", "uicc", "subscriber-number", "on-up", "on-down", "security.passphrase"),
    }

    async def main() -> None:
        async with polled(COLLECTORS, **router("7.16.2")) as found:
            await found.poll(*ALL)
            for tier in Tier:
                for command in found.mapper.commands(tier):
                    assert command.proplist, command.path
                    assert not secrets & set(command.proplist), command.path

    run_async(main(), timeout_s=60)


def test_a_router_without_all_that_is_asked_little() -> None:
    async def main() -> None:
        async with polled(COLLECTORS, name="twin", version="7.16.2", interfaces=4) as found:
            await found.poll(*ALL)
            asked = {tier: sorted(command.path for command in found.mapper.commands(tier)) for tier in Tier}
            assert asked[Tier.T0] == [
                "/queue/simple/print",
                "/queue/tree/print",
                "/system/resource/print",
            ]
            assert "/interface/wifi/registration-table/print" not in asked[Tier.T1]
            assert not [name for name in found.values if name.startswith(("wireless.", "lte.", "tunnel."))]

    run_async(main(), timeout_s=60)
