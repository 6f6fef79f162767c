"""mktxp, the exporter for Prometheus, scrapes the routers that mtd polls, and serves the same values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mtd.testing.mktxp import PROGRAM, Exporter, Target
from tests.witnesses.agreement import Agreement, compare_counters, compare_gauge
from tests.witnesses.kit import INTERFACES, ROUTERS, SESSIONS, Watched, clocked, require
from tests.witnesses.polls import Moment

COUNTERS = {
    "interface_rx_byte_total": "rx-byte",
    "interface_tx_byte_total": "tx-byte",
    "interface_rx_packet_total": "rx-packet",
    "interface_tx_packet_total": "tx-packet",
    "interface_rx_error_total": "rx-error",
    "interface_tx_error_total": "tx-error",
    "interface_rx_drop_total": "rx-drop",
    "interface_tx_drop_total": "tx-drop",
    "link_downs_total": "link-downs",
}


class Page:
    """What mktxp served in one scrape, and when that was."""

    def __init__(self, text: str, moment: Moment) -> None:
        self.moment = moment
        self._samples: dict[tuple[str, str], list[tuple[dict[str, str], float]]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                router = sample.labels.get("routerboard_name", "")
                name = sample.name.removeprefix("mktxp_")
                self._samples[name, router].append((dict(sample.labels), sample.value))

    def one(self, name: str, router: str) -> tuple[dict[str, str], float]:
        """Return labels and value of a metric that a router has once."""
        (found,) = self._samples[name, router]
        return found

    def by_interface(self, name: str, router: str) -> dict[str, tuple[dict[str, str], float]]:
        """Return interface name -> labels and value."""
        samples = self._samples[name, router]
        found = {labels["name"]: (labels, value) for labels, value in samples}
        assert len(found) == len(samples)
        return found


@pytest.fixture(scope="module")
def page(stage: Watched, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    require(PROGRAM, "mktxp")
    folder: Path = tmp_path_factory.mktemp("mktxp")
    targets = [Target.from_lab(stage.routers[name]) for name in ROUTERS]
    with Exporter(folder, targets) as exporter:
        with clocked() as moments:
            text = exporter.scrape()
        yield Page(text, moments[0])


@pytest.mark.parametrize("router", ROUTERS)
def test_what_the_router_is(stage: Watched, page: Page, router: str) -> None:
    agreement = Agreement()
    with stage.client() as client:
        device = client.get_device(router)
    resource, board = stage.snapshot(router, "system.resource"), stage.snapshot(router, "system.routerboard")
    labels, _ = page.one("system_total_memory", router)
    agreement.same("static", "version", labels["version"].split()[0], device.routeros_version.split()[0])
    agreement.same("static", "version", labels["version"], resource["version"])
    agreement.same("static", "board", labels["board_name"], device.board_name)
    agreement.same("static", "cpu", labels["cpu"], resource["cpu"])
    agreement.same("static", "architecture", labels["architecture_name"], resource["architecture-name"])
    agreement.same("static", "identity", page.one("system_identity_info", router)[0]["name"], device.identity)
    agreement.same("static", "cpus", page.one("system_cpu_count", router)[1], float(resource["cpu-count"]))
    inventory, _ = page.one("routerboard_info", router)
    for key in (
        "model",
        "serial-number",
        "firmware-type",
        "factory-firmware",
        "current-firmware",
        "upgrade-firmware",
    ):
        agreement.same("static", key, inventory[key.replace("-", "_")], board[key])
    polls = stage.around(router, page.moment)
    for name, key, scale in (
        ("system_total_memory", "system.memory.total_bytes", 1),
        ("system_total_hdd_space", "system.disk.total_bytes", 1),
        ("system_free_hdd_space", "system.disk.free_bytes", 1),
        ("system_cpu_frequency", "system.cpu.frequency_hertz", 1_000_000),
    ):
        agreement.same("static", key, page.one(name, router)[1] * scale, polls.before(key))
    agreement.conclude(static=17)


@pytest.mark.parametrize("router", ROUTERS)
def test_load_memory_and_uptime(stage: Watched, page: Page, router: str) -> None:
    agreement = Agreement()
    for name, key, attribute in (
        ("system_cpu_load", "system.cpu.load_pct", "cpu_load_pct"),
        ("system_free_memory", "system.memory.free_bytes", "free_memory_bytes"),
        ("system_uptime", "system.uptime_seconds", "uptime_s"),
    ):
        compare_gauge(
            agreement,
            stage,
            (router, key),
            (page.one(name, router)[1], page.moment),
            lambda moment, attribute=attribute: {
                getattr(resource, attribute) for resource in stage.resources(router, moment)
            },
        )
    agreement.conclude(gauges=6)


V6_SENSORS = (
    ("system_routerboard_voltage", "system.health.voltage.voltage_volts", "decivolts", 0.1),
    ("system_routerboard_temperature", "system.health.temperature.temperature_celsius", "celsius", 1),
)
V7_SENSORS = (
    *V6_SENSORS,
    ("system_cpu_temperature", "system.health.cpu-temperature.temperature_celsius", "cpu_celsius", 1),
    ("system_fan_one_speed", "system.health.fan1-speed.fan_speed_rpm", "fan_rpm", 1),
)


@pytest.mark.parametrize("router", ROUTERS)
def test_sensors(stage: Watched, page: Page, router: str) -> None:
    agreement = Agreement()
    sensors = V7_SENSORS if stage.truth(router).version >= (7,) else V6_SENSORS
    for name, key, attribute, factor in sensors:
        compare_gauge(
            agreement,
            stage,
            (router, key),
            (page.one(name, router)[1], page.moment),
            lambda moment, attribute=attribute, factor=factor: {
                round(getattr(sensor, attribute) * factor, 1) for sensor in stage.sensors(router, moment)
            },
        )
    if sensors is V7_SENSORS:
        polls = stage.around(router, page.moment)
        for supply in ("psu1", "psu2"):
            ours = polls.before(f"system.health.{supply}-state.state")
            agreement.same("states", supply, page.one(f"system_{supply}_state", router)[1], ours)
        agreement.conclude(gauges=8, states=2)
    else:
        agreement.conclude(gauges=4)


@pytest.mark.parametrize("router", ROUTERS)
def test_all_counters_of_all_interfaces(stage: Watched, page: Page, router: str) -> None:
    agreement = Agreement()
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for metric, prop in COUNTERS.items():
        for name, (_, value) in page.by_interface(metric, router).items():
            found[name][prop] = value
    sessions = SESSIONS if router == "six" else 0
    assert len(found) == INTERFACES + sessions, "mktxp exports sessions too"
    compare_counters(agreement, stage, router, page.moment, found, list(COUNTERS.values()))
    agreement.conclude(counters=INTERFACES * 9, instants=1)


@pytest.mark.parametrize("router", ROUTERS)
def test_what_the_interfaces_are(stage: Watched, page: Page, router: str) -> None:
    agreement = Agreement()
    ours, polls = stage.interfaces(router), stage.around(router, page.moment)
    infos = {
        prop: page.by_interface(f"interface_{name}_info", router)
        for prop, name in (("type", "type"), ("mac-address", "mac_address"), ("comment", "comment"))
    }
    running, disabled, mtu = (
        page.by_interface(f"interface_{name}", router) for name in ("running", "disabled", "actual_mtu")
    )
    for name, fields in ours.items():
        for prop, samples in infos.items():
            witness = samples[name][0][prop.replace("-", "_")]
            agreement.same("texts", f"{name} {prop}", witness, fields.get(prop, ""))
        agreement.same("numbers", f"{name} MTU", mtu[name][1], float(fields["actual-mtu"]))
        up, enabled = (polls.before(f"iface.{name}.{state}") for state in ("oper_state", "admin_state"))
        agreement.same("states", f"{name} running", running[name][1], up)
        agreement.same("states", f"{name} disabled", disabled[name][1], 1 - enabled)
    agreement.conclude(texts=INTERFACES * 3, numbers=INTERFACES, states=INTERFACES * 2)
