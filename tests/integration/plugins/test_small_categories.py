"""The categories of settings, services and layer 2 against lab routers of all versions."""

from __future__ import annotations

import time

import pytest

from mtd.lab.scenario import FaultKind
from mtd.lab.truth import RouterTruth
from mtd.model.device import Severity
from mtd.model.metric import Tier
from mtd.testing import run_async
from mtd_collector_audit import COLLECTOR as AUDIT
from mtd_collector_containers import COLLECTOR as CONTAINERS
from mtd_collector_files import COLLECTOR as FILES
from mtd_collector_interfaces import COLLECTOR as INTERFACES
from mtd_collector_logging import COLLECTOR as LOGGING
from mtd_collector_services import COLLECTOR as SERVICES
from mtd_collector_system import COLLECTOR as SYSTEM
from mtd_collector_timing import COLLECTOR as TIMING
from mtd_collector_tools import COLLECTOR as TOOLS
from mtd_collector_users import COLLECTOR as USERS
from tests.integration.plugins.polling import Polled, metric_of, polled

COLLECTORS = (
    SYSTEM,
    INTERFACES,
    TIMING,
    LOGGING,
    CONTAINERS,
    SERVICES,
    FILES,
    USERS,
    AUDIT,
    TOOLS,
)
VERSIONS = ("6.49.10", "7.8", "7.16.2", "7.20.4")
# Tables give the ids that monitors want: the second read of a tier has them.
ALL = (Tier.T1, Tier.T2, Tier.T2, Tier.T3, Tier.T0)

# What only one of the two major versions tells.
ONLY_V6 = {"timing.ntp.age_seconds"}
ONLY_V7 = {
    "containers.state",
    "services.netwatch.loss_pct",
    "services.netwatch.rtt_seconds",
    "system.health.fan_speed_rpm",
    "system.health.state",
    "system.storage.io_errors_total",
    "system.storage.used_pct",
    "timing.ntp.stratum",
}
# Boards differ with the version, and what is counted goes on while it is read.
NOT_COMPARED = ("iface.rx_", "iface.tx_", "iface.sfp_", "iface.link_", "system.", "users.", "timing.clock")


def router(version: str) -> dict[str, object]:
    return {"name": "twin", "version": version, "interfaces": 24}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_menu_is_there_or_not_asked_for(version: str) -> None:
    """Nothing is refused: what a version doesn't have was told by the probe."""

    async def main() -> None:
        async with polled(COLLECTORS, **router(version)) as found:
            await found.poll(*ALL)
            refused = [event.message for event in found.events_of("device.menu.changed")]
            assert refused == []
            assert found.events_of("collector.quarantined") == []
            assert found.values["timing.clock_skew_seconds"] == pytest.approx(-0.5, abs=1.5)
            assert found.tables["bridge_port"]
            assert found.documents["config.identity.identity"] == {"name": "twin"}

    run_async(main(), timeout_s=60)


def test_two_versions_with_one_truth_give_the_same_metrics() -> None:
    async def main() -> None:
        epoch_us = time.time_ns() // 1000
        six, seven = [await _values(version, epoch_us) for version in ("6.49.10", "7.16.2")]
        assert {metric_of(name) for name in six} - {metric_of(name) for name in seven} == ONLY_V6
        assert {metric_of(name) for name in seven} - {metric_of(name) for name in six} == ONLY_V7
        compared = [
            name
            for name in six
            if not name.startswith(NOT_COMPARED) and metric_of(name) not in ONLY_V6 | ONLY_V7
        ]
        assert len(compared) > 30
        for name in compared:
            # Certificates get older while one router is read after the other.
            slack = 60 if metric_of(name) == "services.certificate.remaining_seconds" else 0
            assert seven[name] == pytest.approx(six[name], abs=slack), name

    async def _values(version: str, epoch_us: int) -> dict[str, float]:
        async with polled(COLLECTORS, epoch_us=epoch_us, **router(version)) as found:
            await found.poll(*ALL)
            return found.values

    run_async(main(), timeout_s=60)


def test_what_somebody_changes_is_told_once_and_what_moves_by_itself_is_not() -> None:
    async def main() -> None:
        async with polled([AUDIT], **router("7.16.2")) as found:
            await found.poll(Tier.T2, Tier.T3)
            assert found.events == []
            await found.poll(Tier.T2, Tier.T3)
            assert found.events == []
            state = found.lab.router("twin").state
            state.identity = "renamed"
            state.write_history(found.lab.world.clock.now_tick(), "identity changed")
            await found.poll(Tier.T2, Tier.T3)
            action, change = found.events
            assert (action.event_type, action.message) == ("config.action", "identity changed by mtd")
            assert (change.event_type, change.field) == ("config.changed", "identity")
            assert change.message == "identity: 1 changed: name twin → renamed"
            assert found.values["audit.actions_total"] == 1

    run_async(main(), timeout_s=60)


def test_no_secret_is_asked_for() -> None:
    """Not even of a router that would tell: every property of every command is on an allow-list."""

    async def main() -> None:
        async with polled(COLLECTORS, **router("7.16.2")) as found:
            secrets = {
                "password",
                "secret",
                "private-key",
                "contents",
                "source",
                "on-event",
                "trap-community",
            }
            for tier in Tier:
                for command in found.mapper.commands(tier):
                    assert command.proplist, command.path
                    # Of a certificate it is a flag: whether the key is there.
                    told = {"private-key"} if command.path == "/certificate/print" else set()
                    assert not (secrets - told) & set(command.proplist), command.path
            await found.poll(*ALL)
            assert "public" not in str(found.documents["config.services.snmp-community"])

    run_async(main(), timeout_s=60)


def test_vrrp_and_a_bond_follow_their_links() -> None:
    async def main() -> None:
        async with polled([INTERFACES], **router("7.16.2")) as found:
            await found.poll(Tier.T1, Tier.T2, Tier.T2)
            truth = found.lab.world.router("twin")
            bond = found.tables["bonding"][_of_type(truth, "bond")]
            ports = [name for name in bond["slaves"].split(",") if _running(found, name)]
            assert found.values[f"iface.bond_active_ports[{_of_type(truth, 'bond')}]"] == len(ports)
            assert found.values["iface.vrrp_state[*A00001]"] == 3
            vlan = _of_type(truth, "vlan")
            lost = [vlan, *(key for key, row in found.tables["interface"].items() if row["name"] in ports)]
            found.lab.inject("twin", FaultKind.LINK_FLAP, interfaces=lost, for_s=600)
            await found.poll(Tier.T1, Tier.T2)
            [event] = found.events_of("interface.vrrp.changed")
            assert (event.old, event.new, event.severity) == ("master", "init", Severity.WARNING)
            assert found.values[f"iface.bond_active_ports[{_of_type(truth, 'bond')}]"] == 0
            [event] = found.events_of("interface.bond.changed")
            assert (event.entity_label, event.old, event.new) == ("bond1", ",".join(ports), "")

    run_async(main(), timeout_s=60)


def _of_type(truth: RouterTruth, kind: str) -> str:
    return next(item.id for item in truth.all_interfaces if item.type == kind)


def _running(found: Polled, name: str) -> bool:
    return next(row["running"] for row in found.tables["interface"].values() if row["name"] == name) == "true"
