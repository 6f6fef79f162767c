"""The source against the lab's agents: what they tell is the truth, and the same series as over the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mtd.lab.scenario import Door, Fault, FaultKind, RouterSpec, Scenario
from mtd.lab.service import Endpoint, Lab
from mtd.lab.truth import RouterTruth
from mtd.model.device import Device, Outcome, SnmpSettings, SnmpVersion
from mtd.model.metric import Tier
from mtd.model.observation import Observation
from mtd.plugin.config import T0Config
from mtd.plugin.mapper import DeviceMapper
from mtd.sources.interfaces import ISource
from mtd.sources.snmp import test_snmp
from mtd.testing import run_async
from mtd.testing.observations import all_values, events_of, values_of
from mtd_collector_interfaces import COLLECTOR as INTERFACES
from mtd_collector_system import COLLECTOR as SYSTEM
from tests.integration.sources.devices import connected, device, failure_of
from tests.integration.sources.scripted_agent import QUICK, asked

VERSIONS = ("6.49.10", "7.16.2")
ETERNITY_S = 30.0
# The metrics of menus that SNMP has words for, if not for all their fields.
SERVED = {
    metric.key
    for collector in (INTERFACES, SYSTEM)
    for menu in collector.menus
    if menu.snmp is not None
    for metric in menu.metrics()
}


@asynccontextmanager
async def lab(**settings: Any) -> AsyncIterator[tuple[Lab, Device]]:
    """Run a lab with one router, and the device that reaches it both ways."""
    running = Lab(Scenario(router=[RouterSpec.model_validate({"name": "r", "snmp_port": 0} | settings)]))
    try:
        [endpoint] = await running.start()
        yield running, both_ways(endpoint)
    finally:
        await running.stop()


def both_ways(endpoint: Endpoint, **settings: Any) -> Device:
    snmp = SnmpSettings(SnmpVersion.V2C, port=endpoint.snmp_port, community=endpoint.community)
    given = {
        "name": endpoint.name,
        "username": endpoint.username,
        "password": endpoint.password,
        "snmp": snmp,
        "connect_timeout_s": ETERNITY_S,
        "command_timeout_s": ETERNITY_S,
    }
    return device(endpoint.port, **(given | settings))


def mapper_of(to: Device) -> DeviceMapper:
    return DeviceMapper(to, [INTERFACES, SYSTEM])


async def poll(mapper: DeviceMapper, source: ISource, tier: Tier) -> Observation:
    return mapper.observe(tier, await source.run(mapper.commands(tier)))


def counters(truth: RouterTruth, tick: int) -> dict[str, int]:
    """Return what is true of the counters that SNMP tells, by series."""
    told = {
        "rx-byte": "rx_bytes",
        "tx-byte": "tx_bytes",
        "rx-packet": "rx_packets",
        "tx-packet": "tx_packets",
        "rx-error": "rx_errors",
        "tx-error": "tx_errors",
        "rx-drop": "rx_drops",
        "tx-drop": "tx_drops",
    }
    lasting = {item.id for item in truth.interfaces(tick) if not item.dynamic}
    return {
        f"iface.{noun}_total[{identity}]": row[name]
        for identity, row in truth.counters(tick).items()
        if identity in lasting
        for name, noun in told.items()
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_counters_are_the_truth_to_the_last_byte(version: str) -> None:
    """Some of them are past what a double holds. Each was true at some moment of the poll."""

    async def main() -> None:
        async with lab(version=version, interfaces=24, pppoe=50) as (running, to), asked(to) as source:
            truth, clock = running.world.router("r"), running.world.clock
            first = counters(truth, clock.now_tick())
            values = values_of((await poll(mapper_of(to), source, Tier.T0)).frame)
            last = counters(truth, clock.now_tick())
            assert len(first) == 24 * 8
            for series, at_least in first.items():
                assert at_least <= values[series] <= last[series], series
            assert max(first.values()) > 2**53
            assert not [series for series in values if "*F0000" in series]

    run_async(main())


@pytest.mark.parametrize("version", VERSIONS)
def test_the_series_are_those_of_the_api(version: str) -> None:
    async def main() -> None:
        async with (
            lab(version=version, interfaces=24, pppoe=3) as (_, to),
            connected(to) as api,
            asked(to) as snmp,
        ):
            by_api, by_snmp = mapper_of(to), mapper_of(to)
            for tier in (Tier.T0, Tier.T1, Tier.T2, Tier.T2):
                over_api = all_values((await poll(by_api, api, tier)).frame)
                over_snmp = all_values((await poll(by_snmp, snmp, tier)).frame)
                # A link and a sensor that SNMP can't tell have no series there, and nothing has another one.
                assert over_snmp.keys() <= over_api.keys()
                missing = {name.partition("[")[0] for name in over_api.keys() - over_snmp.keys()}
                assert missing & SERVED <= {"iface.duplex_state", "system.health.state"}
                if tier is Tier.T0:
                    assert over_snmp.keys() == over_api.keys()

    run_async(main())


def absent(over_snmp: Mapping[str, float | None], over_api: Mapping[str, float | None]) -> set[str]:
    """Return the metrics of menus with SNMP which it doesn't tell of anything, though the API does."""
    told = {name.partition("[")[0] for name, value in over_snmp.items() if value is not None}
    told_by_api = {name.partition("[")[0] for name, value in over_api.items() if value is not None}
    return (told_by_api - told) & SERVED


@pytest.mark.parametrize("version", VERSIONS)
def test_what_snmp_does_not_tell_is_absent_and_nothing_else(version: str) -> None:
    async def main() -> None:
        async with lab(version=version, interfaces=24) as (_, to), connected(to) as api, asked(to) as snmp:
            by_api, by_snmp = mapper_of(to), mapper_of(to)
            missing = {}
            for tier in (Tier.T0, Tier.T1, Tier.T2, Tier.T2):
                over_api = all_values((await poll(by_api, api, tier)).frame)
                missing[tier] = absent(all_values((await poll(by_snmp, snmp, tier)).frame), over_api)
            rates = {"iface.rx_bps", "iface.tx_bps"}
            assert missing[Tier.T0] - rates == {"iface.tx_queue_drops_total"}
            sensors = {"system.health.state"} if version.startswith("7") else set()
            assert missing[Tier.T2] == sensors | {
                "iface.duplex_state",
                "system.core.irq_pct",
                "system.core.disk_pct",
                "system.disk.bad_blocks_pct",
                "system.disk.written_sectors_total",
            }

    run_async(main())


@pytest.mark.parametrize("version", VERSIONS)
def test_resources_sensors_and_links_are_those_of_the_api(version: str) -> None:
    async def main() -> None:
        async with lab(version=version, interfaces=24) as (running, to), asked(to) as source:
            mapper = mapper_of(to)
            truth, clock = running.world.router("r"), running.world.clock
            live = values_of((await poll(mapper, source, Tier.T0)).frame)
            now = truth.resource(clock.now_tick())
            assert live["system.memory.total_bytes"] == now.total_memory_bytes
            assert live["system.uptime_seconds"] == pytest.approx(now.uptime_s, abs=2)
            assert live["system.cpu.load_pct"] == pytest.approx(now.cpu_load_pct, abs=15)
            assert live["iface.oper_state[*1]"] == 1.0
            names = (await poll(mapper, source, Tier.T1)).tables[0].upserted
            assert names["*1"]["name"] == "sfp-sfpplus1"
            assert names["*1"]["comment"] == "Uplink to core-1"
            await poll(mapper, source, Tier.T2)
            slow = values_of((await poll(mapper, source, Tier.T2)).frame)
            assert slow["iface.link_speed_bps[*1]"] == 10e9
            assert -7.0 < slow["iface.sfp_rx_power_dbm[*1]"] < -6.0
            assert slow["iface.sfp_supply_volts[*1]"] == pytest.approx(3.3, abs=0.1)
            assert slow["system.health.voltage_volts[voltage]"] == pytest.approx(24.5, abs=1.5)
            assert slow["system.health.temperature_celsius[temperature]"] == pytest.approx(44, abs=6)
            assert (
                len([name for name in slow if name.startswith("system.core.load_pct")])
                == truth.board.cpu_count
            )

    run_async(main())


def test_the_api_closes_and_the_rates_go_on_over_snmp() -> None:
    async def main() -> None:
        async with lab(interfaces=6) as (running, to), asked(to) as snmp:
            mapper = mapper_of(to)
            async with connected(to) as api:
                await poll(mapper, api, Tier.T1)
                before = values_of((await poll(mapper, api, Tier.T0)).frame)
                running.inject("r", FaultKind.REFUSED, doors=[Door.API])
            await asyncio.sleep(0.1)
            observation = await poll(mapper, snmp, Tier.T0)
            first = values_of(observation.frame)
            assert first["iface.rx_bytes_total[*1]"] > before["iface.rx_bytes_total[*1]"]
            assert "iface.rx_bps[*1]" not in first  # an agent may count differently
            assert observation.state_changes == []
            await asyncio.sleep(0.1)
            then = values_of((await poll(mapper, snmp, Tier.T0)).frame)
            grown = then["iface.rx_bytes_total[*1]"] - first["iface.rx_bytes_total[*1]"]
            assert 0 < then["iface.rx_bps[*1]"] <= grown * 8 / 0.1
            assert (await poll(mapper, snmp, Tier.T1)).state_changes == []

    run_async(main())


def test_a_rename_while_the_api_is_closed_stops_a_series_until_it_opens() -> None:
    async def main() -> None:
        async with lab(interfaces=6) as (running, to), asked(to) as snmp:
            mapper = mapper_of(to)
            async with connected(to) as api:
                await poll(mapper, api, Tier.T1)
                running.inject("r", FaultKind.RENAME, interfaces=["*2"], name="elsewhere")
                observation = await poll(mapper, snmp, Tier.T0)
                assert "iface.rx_bytes_total[*2]" not in values_of(observation.frame)
                assert "iface.rx_bytes_total[*1]" in values_of(observation.frame)
                [event] = events_of(observation, "device.snmp_row.misnamed")
                assert (event.entity_id, event.new) == ("*2", "elsewhere")
                await poll(mapper, api, Tier.T1)
                again = await poll(mapper, snmp, Tier.T0)
                assert "iface.rx_bytes_total[*2]" in values_of(again.frame)

    run_async(main())


def test_a_link_that_falls_is_an_event_over_snmp_too() -> None:
    async def main() -> None:
        async with lab(interfaces=6) as (running, to), asked(to) as snmp:
            mapper = mapper_of(to)
            await poll(mapper, snmp, Tier.T1)
            await poll(mapper, snmp, Tier.T0)
            running.inject("r", FaultKind.LINK_FLAP, interfaces=["*1"], for_s=60.0)
            [event] = (await poll(mapper, snmp, Tier.T0)).state_changes
            assert (event.event_type, event.entity_label, event.new) == (
                "interface.oper.changed",
                "sfp-sfpplus1",
                "down",
            )

    run_async(main())


def test_who_the_device_is_is_told_by_a_probe() -> None:
    async def main() -> None:
        async with lab(version="7.16.2") as (running, to), asked(to) as source:
            mapper = mapper_of(to)
            facts = mapper.probe_facts(await source.run(mapper.probe_commands()))
            truth = running.world.router("r")
            assert (facts.routeros_version, facts.identity) == ("7.16.2", "r")
            assert facts.board_name == truth.board.name
            assert facts.serial_number

    run_async(main())


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"kind": FaultKind.BLACK_HOLE}, Outcome.TIMED_OUT),
        ({"kind": FaultKind.REFUSED}, Outcome.REFUSED),
        ({"kind": FaultKind.GARBAGE}, Outcome.PROTOCOL_ERROR),
        ({"kind": FaultKind.SLOW, "delay_s": 5.0}, Outcome.TIMED_OUT),
        ({"kind": FaultKind.REBOOT, "boot_s": 60.0}, Outcome.REFUSED),
    ],
)
def test_faults_have_their_outcomes_and_end(fault: dict[str, Any], outcome: Outcome) -> None:
    async def main() -> None:
        async with lab(interfaces=4) as (running, to):
            impatient = both_ways(running.endpoints[0], connect_timeout_s=ETERNITY_S, command_timeout_s=0.5)
            async with asked(impatient) as source:
                mapper = mapper_of(to)
                await source.run(mapper.commands(Tier.T0), ETERNITY_S)
                running.inject("r", Fault(doors=[Door.SNMP], **fault))
                assert (await failure_of(source.run(mapper.commands(Tier.T0)))).outcome is outcome
                assert not source.connected
                if fault["kind"] is FaultKind.REBOOT:
                    return
                running.clear("r")
                await source.connect()
                assert (await source.run(mapper.commands(Tier.T0), ETERNITY_S))[0].trap is None

    run_async(main())


def test_the_live_tier_asks_for_the_chosen_interfaces_only() -> None:
    async def main() -> None:
        async with lab(interfaces=24) as (running, to), asked(to) as source:
            mapper = DeviceMapper(to, [INTERFACES, SYSTEM], t0=T0Config(interfaces=3, evaluate_s=0.01))
            for tier in (Tier.T1, Tier.T1, Tier.T0, Tier.T1, Tier.T0):
                await poll(mapper, source, tier)
            before = running.stats("r")["r"]["snmp_requests"]
            live = values_of((await poll(mapper, source, Tier.T0)).frame)
            chosen = {name for name in live if name.startswith("iface.rx_bytes_total")}
            # Those whose turn is over stay until the slower tier has read them.
            assert 3 <= len(chosen) <= 6
            assert running.stats("r")["r"]["snmp_requests"] - before <= 8
            rest = values_of((await poll(mapper, source, Tier.T1)).frame)
            assert len(chosen | {name for name in rest if name.startswith("iface.rx_bytes_total")}) == 24

    run_async(main())


def test_a_connection_is_tested_step_by_step() -> None:
    async def main() -> None:
        async with lab(version="7.16.2") as (running, to):
            result = await test_snmp(to, config=QUICK)
            assert result.ok
            assert [step.name for step in result.steps] == ["resolve", "snmp", "read"]
            assert (
                result.steps[1].detail == f"127.0.0.1 port {running.endpoints[0].snmp_port} (UDP), version 2c"
            )
            assert (result.identity, result.routeros_version) == ("r", "7.16.2")
            running.inject("r", FaultKind.REFUSED, doors=[Door.SNMP])
            result = await test_snmp(to, config=QUICK)
            assert result.outcome is Outcome.REFUSED
            assert [step.ok for step in result.steps] == [True, False]
            assert "/snmp set enabled=yes" in result.steps[-1].detail

    run_async(main())


def test_statistics_tell_what_was_asked() -> None:
    async def main() -> None:
        async with lab(interfaces=30) as (running, to), asked(to) as source:
            before = running.stats("r")["r"]["snmp_requests"]
            await poll(mapper_of(to), source, Tier.T0)
            stats = running.stats("r")["r"]
            # What a live poll of 30 interfaces costs a router: some twenty small packets.
            assert 0 < stats["snmp_requests"] - before <= 30
            assert stats["wire_errors"] == 0

    run_async(main())
