"""Walks of routers, served by snmpsim and polled through source and eggs: a real agent, nobody's mock.

Two small walks are ours. Those of real routers aren't part of the project:
without MTD_ROSDATA they are skipped. Expected values were read from the walks
by hand.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from mtd.model.device import Device, Outcome, SnmpSettings, Way
from mtd.model.metric import Tier
from mtd.model.observation import Observation
from mtd.plugin.manager import PluginManager
from mtd.plugin.mapper import DeviceMapper
from mtd.plugin.snmp_tables import snmp_tables
from mtd.sources.errors import SessionFailed
from mtd.sources.snmp import SnmpConfig, SnmpSource
from mtd.testing import run_async
from mtd.testing.contract import make_device
from mtd.testing.observations import all_values, values_of
from mtd.testing.replies import replies_from
from tests.contract.snmp_simulator import simulated, v2c, v3

OURS = Path(__file__).parent / "walks"
CAPTURED = ("routeros", "routeros_rb433gl", "routeros_rb750gr3", "routeros_wifi")
FRAGMENTS = ("routeros_1", "routeros_rb952ui", "routeros_ltap-mini", "routeros_rb2011il")
TIMES = {"connect_timeout_s": 20.0, "command_timeout_s": 20.0}


def captures() -> Path | None:
    folder = Path(os.environ.get("MTD_ROSDATA", "")) / "snmp" / "librenms"
    return folder if folder.is_absolute() and folder.is_dir() else None


@pytest.fixture(scope="module")
def ports() -> Iterator[Mapping[str, int]]:
    """Serve all walks that there are; UDP port by the walk's name."""
    folders = [OURS, *filter(None, [captures()])]
    walks = {path.stem: path for folder in folders for path in sorted(folder.glob("*.snmprec"))}
    with simulated(walks) as found:
        yield found


@pytest.fixture(scope="module")
def eggs() -> PluginManager:
    return PluginManager.load(blocked=["third-party"], environment={})


def captured(ports: Mapping[str, int], walk: str) -> int:
    if captures() is None:
        pytest.skip("MTD_ROSDATA names no folder with captures of real routers")
    return ports[walk]


def device_at(snmp: SnmpSettings, **settings: Any) -> Device:
    return make_device(host="127.0.0.1", snmp=snmp, **(TIMES | settings))


class Polled:
    """What polls of all tiers gave of a router."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.absent: set[str] = set()
        self.tables: dict[str, Mapping[str, Mapping[str, str]]] = {}
        self.events: list[str] = []
        self.identity = ""

    def take(self, observation: Observation) -> None:
        self.values |= values_of(observation.frame)
        self.absent |= {name for name, value in all_values(observation.frame).items() if value is None}
        self.tables |= {table.table: table.upserted for table in observation.tables}
        self.events += [change.event_type for change in observation.state_changes]


async def polled(snmp: SnmpSettings, eggs: PluginManager) -> Polled:
    """Poll a router as the daemon does: probe it, then every tier, the slow ones twice for what tables teach."""
    device = device_at(snmp)
    source = SnmpSource(device, snmp_tables(eggs.collectors), config=SnmpConfig(repeat_after_s=5.0))
    mapper = DeviceMapper(device, eggs.collectors)
    out = Polled()
    await source.connect()
    try:
        facts = mapper.probe_facts(await source.run(mapper.probe_commands()))
        out.identity = f"{facts.board_name} {facts.routeros_version} {facts.serial_number}".strip()
        for tier in (Tier.T1, Tier.T0, Tier.T2, Tier.T2, Tier.T3):
            replies = await source.run(mapper.commands(tier))
            assert {reply.way for reply in replies} <= {Way.SNMP}
            out.take(mapper.observe(tier, replies))
    finally:
        await source.close()
    return out


def of_interfaces(polled: Polled, ending: str) -> dict[str, float]:
    """Return the values of a metric by the interface."""
    start = f"iface.{ending}["
    return {name[len(start) : -1]: value for name, value in polled.values.items() if name.startswith(start)}


SYSTEM = {
    "system.cpu.load_pct": 3.5,
    "system.cpu.frequency_hertz": 1.7e9,
    "system.core.load_pct[cpu0]": 3,
    "system.core.load_pct[cpu1]": 4,
    "system.core.load_pct[cpu2]": 0,
    "system.core.load_pct[cpu3]": 7,
    "system.memory.total_bytes": 4 * 2**30,
    "system.memory.free_bytes": 3 * 2**30,
    "system.disk.total_bytes": 128 * 2**20,
    "system.disk.free_bytes": 65535 * 1024,
    "system.uptime_seconds": 42949672,
    "system.health.temperature_celsius[temperature]": 46,
    "system.health.temperature_celsius[cpu-temperature]": 58,
    "system.health.fan_speed_rpm[fan1-speed]": 6090,
    "system.health.voltage_volts[psu2-voltage]": pytest.approx(12.1),
    "system.health.current_amperes[psu2-current]": pytest.approx(4.2),
    "system.health.power_watts[power-consumption]": pytest.approx(50.8),
}


@pytest.mark.parametrize("settings", [v2c, v3])
def test_a_router_of_version_7(ports: Mapping[str, int], eggs: PluginManager, settings: Any) -> None:
    out = run_async(polled(settings(ports["ccr-7"]), eggs), 60)
    assert out.identity == "CCR2004-16G-2S+ 7.16.2 0123456789AB"
    assert out.events == []
    assert_counters(out)
    assert_ports(out)
    assert out.values["firewall.connections"] == 224
    assert {name: value for name, value in out.values.items() if name.startswith("system.")} == SYSTEM


def assert_counters(out: Polled) -> None:
    # Counters are exact past what a double holds, and an index is the internal id.
    assert of_interfaces(out, "rx_bytes_total") == {
        "*1": 9223372036854775807,
        "*2": 1000,
        "*3": 0,
        "*4": 5,
        "*A": 300,
        "*1B": 500,
    }
    assert of_interfaces(out, "tx_bytes_total")["*1"] == 9007199254740993
    # Where the agent counts multicast apart, nobody knows what the first counter is.
    assert of_interfaces(out, "rx_packets_total") == {"*1": 70, "*3": 0, "*4": 1, "*A": 30, "*1B": 50}
    assert "iface.rx_packets_total[*2]" in out.absent
    assert of_interfaces(out, "tx_packets_total")["*2"] == 20
    expected = {"rx_drops": 27, "rx_errors": 54, "tx_drops": 81, "tx_errors": 108}
    assert {noun: of_interfaces(out, f"{noun}_total")["*1B"] for noun in expected} == expected
    # In the vendor's table nought may mean that nobody counted.
    assert of_interfaces(out, "link_downs_total") == {"*2": 4}


def assert_ports(out: Polled) -> None:
    assert of_interfaces(out, "oper_state") == {"*1": 1, "*2": 1, "*3": 0, "*4": 0, "*A": 1, "*1B": 1}
    assert of_interfaces(out, "admin_state") == {"*1": 1, "*2": 1, "*3": 0, "*4": 1, "*A": 1, "*1B": 1}
    assert of_interfaces(out, "link_speed_bps") == {"*1": 10e9, "*2": 1e9}
    assert of_interfaces(out, "sfp_rx_power_dbm") == {"*1": -5.673}
    assert of_interfaces(out, "sfp_tx_power_dbm") == {"*1": -4.879}
    assert of_interfaces(out, "sfp_supply_volts") == {"*1": 3.302}
    assert of_interfaces(out, "sfp_temperature_celsius") == {"*1": 40}
    assert of_interfaces(out, "sfp_tx_bias_amperes") == {"*1": pytest.approx(0.007)}
    assert of_interfaces(out, "poe_out_state") == {"*2": 2, "*3": 1}
    assert of_interfaces(out, "poe_out_volts") == {"*2": 48.1}
    assert of_interfaces(out, "poe_out_amperes") == {"*2": pytest.approx(0.084)}
    assert of_interfaces(out, "poe_out_watts") == {"*2": 4}
    assert out.tables["interface"]["*1"] == {
        ".id": "*1",
        "name": "sfp-sfpplus1",
        "comment": "Uplink",
        "mac-address": "64:D1:54:00:00:01",
        "actual-mtu": "1500",
        "running": "true",
        "disabled": "false",
    }


@pytest.mark.parametrize("settings", [v2c, v3])
def test_a_router_of_version_6_with_small_counters_only(
    ports: Mapping[str, int], eggs: PluginManager, settings: Any
) -> None:
    """Counters of 32 bits wrap within half a minute at 1 Gbit/s: rather none than those."""
    out = run_async(polled(settings(ports["old-6"]), eggs), 60)
    assert out.identity == "6.40.5"
    assert out.values == {
        "iface.oper_state[*1]": 1,
        "iface.oper_state[*5]": 1,
        "iface.admin_state[*1]": 1,
        "iface.admin_state[*5]": 1,
        "system.uptime_seconds": 90000,
        "system.health.voltage_volts[voltage]": 15.4,
        "system.health.temperature_celsius[temperature]": 33,
        "system.health.temperature_celsius[cpu-temperature]": -5.5,
        "system.health.power_watts[power-consumption]": 2.1,
        "system.health.fan_speed_rpm[fan1-speed]": 4250,
    }
    assert {"iface.rx_bytes_total[*1]", "iface.tx_bytes_total[*5]"} <= out.absent


@pytest.mark.parametrize(
    "changes",
    [{"auth_password": "another-password"}, {"priv_password": "another-password"}, {"username": "stranger"}],
)
def test_version_3_lets_in_only_who_it_knows(ports: Mapping[str, int], changes: Mapping[str, str]) -> None:
    async def main() -> None:
        source = SnmpSource(device_at(v3(ports["ccr-7"], **changes)), {})
        with pytest.raises(SessionFailed) as failed:
            await source.connect()
        assert failed.value.outcome is Outcome.LOGIN_FAILED
        assert "/snmp community" in failed.value.reason
        assert "another-password" not in failed.value.reason

    run_async(main())


def test_a_wrong_community_gets_no_answer(ports: Mapping[str, int]) -> None:
    async def main() -> None:
        settings = SnmpSettings(v2c(1).version, port=ports["ccr-7"], community="private")
        source = SnmpSource(device_at(settings, connect_timeout_s=1.0), {})
        with pytest.raises(SessionFailed) as failed:
            await source.connect()
        assert failed.value.outcome is Outcome.TIMED_OUT

    run_async(main())


def test_many_devices_are_asked_at_once(ports: Mapping[str, int], eggs: PluginManager) -> None:
    async def main() -> None:
        found = await asyncio.gather(*(polled(v2c(ports["ccr-7"]), eggs) for _ in range(5)))
        assert all(one.values == found[0].values for one in found)

    run_async(main(), 100)


# ------------------------------------------------------------ walks of real routers

EXPECTED: Mapping[str, Mapping[str, float | None]] = {
    # A hEX with RouterOS 7.20beta2.
    "routeros_rb750gr3": {
        "iface.rx_bytes_total[*2]": 1493725213,
        "iface.tx_bytes_total[*2]": 192615325,
        "iface.rx_packets_total[*2]": None,
        "iface.rx_bytes_total[*E]": 4276707,
        "iface.tx_bytes_total[*E]": 2043381,
        "iface.rx_packets_total[*E]": 16342,
        "iface.rx_errors_total[*8]": 12,
        "iface.tx_errors_total[*8]": 313,
        "iface.tx_drops_total[*9]": 186,
        "iface.oper_state[*3]": 0,
        "iface.oper_state[*2]": 1,
        "iface.admin_state[*3]": 1,
        "iface.link_speed_bps[*2]": 1e9,
        "firewall.connections": 224,
        "system.cpu.load_pct": 6,
        "system.core.load_pct[cpu3]": 7,
        "system.cpu.frequency_hertz": 880e6,
        "system.memory.total_bytes": 268435456,
        "system.memory.free_bytes": 203816960,
        "system.disk.total_bytes": 16777216,
        "system.disk.free_bytes": 5312512,
        "system.uptime_seconds": 4304,
        "system.health.voltage_volts[voltage]": 24.3,
        "system.health.temperature_celsius[temperature]": 38,
    },
    # A board of many years, with 7.18.2: one core, and ids with holes.
    "routeros_rb433gl": {
        "iface.rx_bytes_total[*5]": 1945799662,
        "iface.tx_bytes_total[*5]": 293326108,
        "iface.rx_packets_total[*5]": 1878655,
        "iface.rx_bytes_total[*2]": 496113929,
        "iface.rx_packets_total[*2]": None,
        "iface.rx_bytes_total[*10]": 156143420,
        "iface.oper_state[*1]": 0,
        "system.cpu.load_pct": 23,
        "system.memory.total_bytes": 134217728,
        "system.memory.free_bytes": 74256384,
        "system.disk.free_bytes": 48197632,
        "system.uptime_seconds": 16092,
        "system.health.voltage_volts[voltage]": 23.7,
    },
    # 6.40.5: sensors as single objects, an optical module of no interface, a port that is switched off.
    "routeros": {
        "iface.rx_bytes_total[*3]": 6422347895,
        "iface.tx_bytes_total[*A]": 5924793339,
        "iface.rx_packets_total[*B]": 4710511,
        "iface.admin_state[*7]": 0,
        "iface.oper_state[*7]": 0,
        "iface.link_speed_bps[*3]": 100e6,
        "system.cpu.load_pct": 5.25,
        "system.memory.free_bytes": 39260160,
        "system.uptime_seconds": 20204,
        "system.health.voltage_volts[voltage]": 15.4,
        "system.health.temperature_celsius[temperature]": 33,
        "iface.poe_out_state[*7]": 1,
    },
    # 6.44 on a 60 GHz radio, up for sixteen days; without sensors.
    "routeros_wifi": {
        "iface.rx_bytes_total[*2]": 82373172268,
        "iface.tx_bytes_total[*2]": 1266370950088,
        "iface.rx_packets_total[*2]": 352464139,
        "iface.oper_state[*1]": 0,
        "iface.link_speed_bps[*2]": 1e9,
        "system.cpu.load_pct": 0.5,
        "system.memory.free_bytes": 211435520,
        "system.disk.free_bytes": 2633728,
        "system.uptime_seconds": 1383431,
    },
}
IDENTITIES = {
    "routeros_rb750gr3": "RB750Gr3 7.20beta2 6F3A071688EA",
    "routeros_rb433gl": "RB433GL 7.18.2 448102AA1A64",
    "routeros": "6.40.5 71B1060EE89D",
    "routeros_wifi": "RBLHGG-60ad 6.44 90C709063CC4",
}


@pytest.mark.parametrize("settings", [v2c, v3])
@pytest.mark.parametrize("walk", CAPTURED)
def test_rosdata_walks_of_whole_routers(
    ports: Mapping[str, int], eggs: PluginManager, walk: str, settings: Any
) -> None:
    out = run_async(polled(settings(captured(ports, walk)), eggs), 60)
    found = {name: out.values.get(name) for name in EXPECTED[walk]}
    assert found == {
        name: None if value is None else pytest.approx(value) for name, value in EXPECTED[walk].items()
    }
    assert {name for name, value in EXPECTED[walk].items() if value is None} <= out.absent
    assert out.identity == IDENTITIES[walk]
    assert out.events == []


@pytest.mark.parametrize("walk", CAPTURED)
def test_rosdata_every_interface_of_the_walk_is_one_of_ours(
    ports: Mapping[str, int], eggs: PluginManager, walk: str
) -> None:
    """By a reading of the walk that shares nothing with the source."""
    port, folder = captured(ports, walk), captures()
    assert folder is not None
    octets, names = {}, {}
    for line in (folder / f"{walk}.snmprec").read_text(encoding="utf-8", errors="replace").splitlines():
        oid, _, rest = line.partition("|")
        column, _, index = oid.rpartition(".")
        if column == "1.3.6.1.2.1.31.1.1.1.6":
            octets[f"*{int(index):X}"] = int(rest.partition("|")[2])
        elif column == "1.3.6.1.2.1.31.1.1.1.1":
            names[f"*{int(index):X}"] = rest.partition("|")[2]
    out = run_async(polled(v2c(port), eggs), 60)
    assert len(octets) >= 4
    assert of_interfaces(out, "rx_bytes_total") == octets
    assert {key: row["name"] for key, row in out.tables["interface"].items()} == names


@pytest.mark.parametrize("walk", FRAGMENTS)
def test_rosdata_fragments_of_walks_are_read_without_an_error(
    ports: Mapping[str, int], eggs: PluginManager, walk: str
) -> None:
    """An agent that has nothing of most tables: what it doesn't have is absent."""
    out = run_async(polled(v2c(captured(ports, walk)), eggs), 60)
    assert out.events == []
    assert out.tables.get("interface", {}) == {}
    assert set(out.values) == {"system.uptime_seconds"}


def test_rosdata_the_signal_of_a_modem(ports: Mapping[str, int], eggs: PluginManager) -> None:
    """The walk has 0 for the strength of all that is received: no modem hears that, and the API leaves it out."""
    port = captured(ports, "routeros_ltap-mini")

    async def main() -> dict[str, float]:
        device = device_at(v2c(port))
        source = SnmpSource(device, snmp_tables(eggs.collectors))
        mapper = DeviceMapper(device, [egg for egg in eggs.collectors if egg.name == "lte"])
        # Which modems there are, only the API tells.
        modem = {"/interface/lte/print": [{".id": "*3", "name": "lte1"}]}
        mapper.observe(Tier.T2, replies_from(mapper.commands(Tier.T2), modem))
        await source.connect()
        try:
            return values_of(mapper.observe(Tier.T0, await source.run(mapper.commands(Tier.T0))).frame)
        finally:
            await source.close()

    assert run_async(main()) == {"lte.rsrp_dbm[*3]": -105, "lte.rsrq_db[*3]": -10, "lte.sinr_db[*3]": 11}
