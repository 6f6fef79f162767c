"""What real routers answered, through codec and eggs, with values checked by hand.

The captures aren't part of the project; without them these tests are skipped.
Clients had turned numbers and booleans: they are written as on the wire again.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtd.model.metric import Tier
from mtd.plugin.mapper import DeviceMapper
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.observations import all_values, values_of
from mtd.testing.replies import load_capture
from mtd_collector_interfaces import COLLECTOR as INTERFACES
from mtd_collector_system import COLLECTOR as SYSTEM
from tests.contract.captured import CHUNKS, able_mapper_of, folder, mapper_of, poll

pytestmark = pytest.mark.rosdata


@pytest.fixture
def api() -> Path:
    found = folder()
    if found is None:
        pytest.skip("MTD_ROSDATA names no folder with captures of real routers")
    return found


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("name", ["normal", "last-link-up-time"])
def test_interfaces_of_a_v6_router(api: Path, name: str, chunk: int) -> None:
    rows = load_capture(api / f"napalm-ros/test_get_interfaces/{name}/_interface_print.json")
    mapper = mapper_of(INTERFACES)
    [table] = poll(mapper, Tier.T1, 0.0, {"/interface/print": rows}, chunk).tables
    assert table.complete
    row = table.upserted["*1"]
    assert {key: row[key] for key in ("name", "type", "mac-address", "mtu", "last-link-up-time")} == {
        "name": "ether1",
        "type": "ether",
        "mac-address": "08:00:27:A9:3F:55",
        "mtu": "1500",
        "last-link-up-time": "nov/24/2016 21:07:05",
    }
    assert "comment" not in row
    poll(mapper, Tier.T0, 0.0, {"/interface/print": rows}, chunk)
    grown = [row | {"rx-byte": row["rx-byte"] + 1000} for row in rows]
    values = all_values(poll(mapper, Tier.T0, 1.0, {"/interface/print": grown}, chunk).frame)
    assert values == {
        "iface.rx_bytes_total[*1]": 4910,
        "iface.tx_bytes_total[*1]": 4005,
        "iface.rx_packets_total[*1]": 35,
        "iface.tx_packets_total[*1]": 30,
        "iface.rx_errors_total[*1]": 0,
        "iface.tx_errors_total[*1]": 0,
        "iface.rx_drops_total[*1]": 0,
        "iface.tx_drops_total[*1]": 0,
        "iface.tx_queue_drops_total[*1]": None,  # this version has no such field
        "iface.link_downs_total[*1]": 0,
        "iface.oper_state[*1]": 1.0,
        "iface.admin_state[*1]": 1.0,
        "iface.rx_bps[*1]": 8000.0,
        "iface.tx_bps[*1]": 0.0,
        "iface.rx_pps[*1]": 0.0,
        "iface.tx_pps[*1]": 0.0,
        "iface.rx_errors_per_s[*1]": 0.0,
        "iface.tx_errors_per_s[*1]": 0.0,
        "iface.rx_drops_per_s[*1]": 0.0,
        "iface.tx_drops_per_s[*1]": 0.0,
        "iface.tx_queue_drops_per_s[*1]": None,
    }


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_ccr2004_with_sensors_and_a_failed_power_supply(api: Path, chunk: int) -> None:
    folder = api / "napalm-ros/test_get_environment/CCR2004-16G-2S+"
    captures = {
        "/system/health/print": load_capture(folder / "_system_health_print.json"),
        "/system/resource/print": load_capture(folder / "_system_resource_print.json"),
        "/system/resource/cpu/print": load_capture(folder / "_system_resource_cpu_print.json"),
    }
    mapper = mapper_of(SYSTEM)
    assert values_of(poll(mapper, Tier.T0, 0.0, captures, chunk).frame) == {
        "system.cpu.load_pct": 0.0,
        "system.memory.free_bytes": 3950641152.0,
        "system.memory.total_bytes": 4227858432.0,
        "system.disk.free_bytes": 106233856.0,
        "system.disk.total_bytes": 135266304.0,
        "system.uptime_seconds": 1034769.0,
    }
    values = values_of(poll(mapper, Tier.T2, 0.0, captures, chunk).frame)
    cores = {f"system.core.load_pct[cpu{n}]": float(n % 2) for n in range(4)}
    idle = {f"system.core.{what}_pct[cpu{n}]": 0.0 for what in ("irq", "disk") for n in range(4)}
    assert values == cores | idle | {
        "system.disk.written_sectors_total": 553343,
        "system.disk.bad_blocks_pct": 0.0,
        "system.health.temperature_celsius[temperature]": 46.0,
        "system.health.temperature_celsius[cpu-temperature]": 58.0,
        "system.health.temperature_celsius[sfp-temperature]": 46.0,
        "system.health.temperature_celsius[board-temperature1]": 45.0,
        "system.health.temperature_celsius[board-temperature2]": 48.0,
        "system.health.fan_speed_rpm[fan1-speed]": 6090.0,
        "system.health.fan_speed_rpm[fan2-speed]": 6030.0,
        "system.health.state[psu1-state]": 1.0,
        "system.health.state[psu2-state]": 0.0,
    }


def test_a_router_that_answers_with_nothing(api: Path) -> None:
    folder = api / "napalm-ros/test_get_environment/empty"
    captures = {
        "/system/health/print": load_capture(folder / "_system_health_print.json"),
        "/system/resource/print": load_capture(folder / "_system_resource_print.json"),
        "/system/resource/cpu/print": load_capture(folder / "_system_resource_cpu_print.json"),
    }
    mapper = able_mapper_of(SYSTEM)
    for tier in (Tier.T0, Tier.T2):
        observation = poll(mapper, tier, 0.0, captures | {"/disk/print": []})
        assert observation.frame is None
        assert observation.state_changes == []


def test_a_v6_router_on_x86_which_tells_little(api: Path) -> None:
    folder = api / "napalm-ros/test_get_facts/pc"
    captures = {
        "/system/resource/print": load_capture(folder / "_system_resource_print.json"),
        "/system/identity/print": load_capture(folder / "_system_identity_print.json"),
        "/system/routerboard/print": load_capture(folder / "_system_routerboard_print.json"),
    }
    mapper = mapper_of(SYSTEM)
    values = all_values(poll(mapper, Tier.T0, 0.0, captures).frame)
    assert values["system.uptime_seconds"] == 90.0
    assert [name for name, value in values.items() if value is not None] == ["system.uptime_seconds"]
    documents = {d.kind: json.loads(d.content) for d in poll(mapper, Tier.T3, 0.0, captures).documents}
    assert documents == {
        "system.resource": {"version": "6.33.3 (stable)", "board-name": "x86", "platform": "MikroTik"},
        "system.identity": {"name": "MikroTik"},
        "system.routerboard": {"routerboard": "false"},
    }


def test_sensors_of_a_v6_router_in_one_row(api: Path) -> None:
    rows = load_capture(api / "issues/v6_v7_system_resource_collectd.json")
    captures = {"/system/resource/print": rows, "/system/health/print": [{"voltage": 24, "temperature": 39}]}
    mapper = mapper_of(SYSTEM)
    assert values_of(poll(mapper, Tier.T0, 0.0, captures).frame)["system.uptime_seconds"] == 372_426.0
    assert values_of(poll(mapper, Tier.T2, 0.0, captures).frame) == {
        "system.cpu.frequency_hertz": 600e6,
        "system.disk.bad_blocks_pct": 0.1,
        "system.disk.written_sectors_total": 550052,
        "system.health.voltage_volts[voltage]": 24.0,
        "system.health.temperature_celsius[temperature]": 39.0,
    }


def test_decimal_sensors_of_v7(api: Path) -> None:
    captures = {"/system/health/print": load_capture(api / "issues/v7beta_system_health.json")}
    assert values_of(poll(mapper_of(SYSTEM), Tier.T2, 0.0, captures).frame) == {
        "system.health.voltage_volts[voltage]": 24.3,
        "system.health.temperature_celsius[temperature]": 57.0,
    }


def test_numbers_with_units_as_some_versions_print_them(api: Path) -> None:
    captures = {"/system/resource/print": load_capture(api / "issues/v7_system_resource_716.json")}
    mapper = mapper_of(SYSTEM)
    assert values_of(poll(mapper, Tier.T0, 0.0, captures).frame) == {
        "system.cpu.load_pct": 5.0,
        "system.memory.free_bytes": pytest.approx(940.2 * 2**20),
        "system.memory.total_bytes": 2.0**30,
        "system.disk.free_bytes": pytest.approx(88.6 * 2**20),
        "system.disk.total_bytes": 128.0 * 2**20,
        "system.uptime_seconds": 149_600.0,
    }
    values = values_of(poll(mapper, Tier.T2, 0.0, captures).frame)
    assert values["system.cpu.frequency_hertz"] == 1.4e9
    assert values["system.disk.bad_blocks_pct"] == 0.1


def test_an_optical_module(api: Path) -> None:
    [module] = load_capture(api / "issues/v7_interface_ethernet_monitor_sfp_dom.json")
    port = {".id": "*1", "name": "sfp-sfpplus16", "type": "ether"}
    captures = {
        "/interface/print": [port],
        "/interface/ethernet/print": [port],
        "/interface/ethernet/monitor": [{"name": "sfp-sfpplus16", "rate": "10Gbps"} | module],
    }
    mapper = mapper_of(INTERFACES)
    poll(mapper, Tier.T1, 0.0, captures)
    poll(mapper, Tier.T2, 0.0, captures)
    assert values_of(poll(mapper, Tier.T2, 60.0, captures).frame) == {
        "iface.link_speed_bps[*1]": 1e10,
        "iface.sfp_temperature_celsius[*1]": 56.0,
        "iface.sfp_supply_volts[*1]": 3.322,
        "iface.sfp_tx_bias_amperes[*1]": pytest.approx(0.007),
        "iface.sfp_rx_power_dbm[*1]": -0.296,
    }


def test_packages_and_board_become_snapshots(api: Path) -> None:
    captures = {
        "/system/package/print": load_capture(api / "issues/v7_system_package.json"),
        "/system/routerboard/print": load_capture(api / "terraform-routeros/system__routerboard.json"),
        "/system/identity/print": load_capture(api / "terraform-routeros/system__identity.json"),
    }
    documents = {
        d.kind: json.loads(d.content) for d in poll(mapper_of(SYSTEM), Tier.T3, 0.0, captures).documents
    }
    assert [package["name"] for package in documents["system.package"]][:2] == ["zerotier", "wifi-qcom"]
    assert {package["version"] for package in documents["system.package"]} == {"7.22.3"}
    assert documents["system.routerboard"]["model"] == "CRS312-4C+8XG"
    assert documents["system.routerboard"]["serial-number"] == "XXXXXXXXXX"
    assert set(documents["system.identity"]) == {"name"}


def test_every_text_that_was_seen_can_be_a_name(api: Path) -> None:
    captured = load_capture(api / "issues/encoding_bytes.json")
    assert captured
    for entry in captured:
        name = bytes.fromhex(entry["bytes_hex"])
        mapper = DeviceMapper(
            make_device(code_page=entry.get("codepage", "latin-1")), [INTERFACES], clock=FakeClock()
        )
        [table] = poll(mapper, Tier.T1, 0.0, {"/interface/print": [{".id": "*1", "comment": name}]}).tables
        shown = table.upserted["*1"]["comment"]
        assert shown == entry.get("text", shown)
        assert shown.isprintable()
