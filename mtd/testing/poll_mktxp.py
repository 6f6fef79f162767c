"""What mktxp read, from its page for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from mtd.lab.world import World
from mtd.testing.poll_check import Reading

_COUNTERS = {
    "mktxp_interface_rx_byte_total": "rx-byte",
    "mktxp_interface_tx_byte_total": "tx-byte",
    "mktxp_interface_rx_packet_total": "rx-packet",
    "mktxp_interface_tx_packet_total": "tx-packet",
    "mktxp_interface_rx_error_total": "rx-error",
    "mktxp_interface_tx_error_total": "tx-error",
    "mktxp_interface_rx_drop_total": "rx-drop",
    "mktxp_interface_tx_drop_total": "tx-drop",
    "mktxp_link_downs_total": "link-downs",
}
_STATES = {"mktxp_interface_running": "running", "mktxp_interface_disabled": "disabled"}
_CPU_LOAD = "mktxp_system_cpu_load"
# Its numbers are floats. Up to here they are exact.
_EXACT = 2**53


def readings_of_page(page: str, world: World, started_us: int, ended_us: int) -> list[Reading]:
    """Return a reading for each router on the page; it was polled between these times."""
    readings: dict[str, Reading] = {}
    ids = {
        truth.spec.name: {item.name: item.id for item in truth.interfaces(world.clock.tick_at(ended_us))}
        for truth in world
    }
    for name, labels, value in _samples(page):
        router = labels.get("routerboard_name", "")
        if name not in _COUNTERS and name not in _STATES and name != _CPU_LOAD:
            continue
        reading = readings.setdefault(router, Reading(router, started_us, ended_us))
        if name == _CPU_LOAD:
            reading.cpu_load = int(value)
            continue
        identity = ids[router][labels["name"]]
        if name in _STATES:
            reading.states.setdefault(identity, {})[_STATES[name]] = bool(value)
        elif value < _EXACT:
            reading.counters.setdefault(identity, {})[_COUNTERS[name]] = int(value)
    return list(readings.values())


def _samples(page: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            yield sample.name, sample.labels, sample.value


def version_of(program: Path) -> str:
    """Return the version of the mktxp that is installed with this program."""
    found = sorted(program.parents[1].glob("lib/python*/site-packages/mktxp-*.dist-info"))
    return found[-1].name.removeprefix("mktxp-").removesuffix(".dist-info") if found else ""
