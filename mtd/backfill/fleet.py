"""What is invented: devices, their ports, and what each port is used for."""

from __future__ import annotations

import enum
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.layout import Layout, Series, shared_series
from mtd.model.metric import Lane

SECONDS_POLLED = "t0"

_TRAFFIC = (
    "iface.rx_bytes_total",
    "iface.tx_bytes_total",
    "iface.rx_packets_total",
    "iface.tx_packets_total",
)
_FAULTS = ("iface.rx_errors_total", "iface.tx_errors_total", "iface.rx_drops_total", "iface.tx_drops_total")
PORT_COUNTERS = (*_TRAFFIC, *_FAULTS)
"""Counters of a port, in the order in which a history has them."""

RATE_OF = {
    "iface.rx_bytes_total": ("iface.rx_bps", 8.0),
    "iface.tx_bytes_total": ("iface.tx_bps", 8.0),
    "iface.rx_packets_total": ("iface.rx_pps", 1.0),
    "iface.tx_packets_total": ("iface.tx_pps", 1.0),
    "iface.rx_errors_total": ("iface.rx_errors_per_s", 1.0),
    "iface.tx_errors_total": ("iface.tx_errors_per_s", 1.0),
    "iface.rx_drops_total": ("iface.rx_drops_per_s", 1.0),
    "iface.tx_drops_total": ("iface.tx_drops_per_s", 1.0),
}
"""Counter: the rate that the daemon derives from it, and the factor."""

DEVICE_GAUGES = (
    ("system.cpu.load_pct", ""),
    ("system.memory.free_bytes", ""),
    ("system.memory.total_bytes", ""),
    ("system.disk.free_bytes", ""),
    ("system.disk.total_bytes", ""),
    ("system.uptime_seconds", ""),
    ("system.health.temperature_celsius", "cpu-temperature"),
    ("system.health.voltage_volts", "voltage"),
    ("firewall.connections_count", ""),
    ("wifi.clients_count", ""),
)
"""What a device tells of itself each second: metric and instance."""


class Use(enum.StrEnum):
    """What a port is there for."""

    UPLINK = "uplink"  # many people's traffic at once: busy, by the time of the day
    CUSTOMER = "customer"  # one household: little, with bursts
    IDLE = "idle"  # a link, and only protocols that greet their neighbours
    DOWN = "down"  # nothing plugged in


# Of so many ports; what is left are customers.
_UPLINK_SHARE, _IDLE_SHARE, _DOWN_SHARE = 1 / 15, 1 / 6, 1 / 6
_UPLINK_BPS, _PORT_BPS = 1_000_000_000, 100_000_000


@dataclass(frozen=True, slots=True)
class Port:
    """One interface. ``speed_bps`` is the line's; ``load`` the mean share of it that is used."""

    instance: str
    use: Use
    speed_bps: int
    load: float


@dataclass(frozen=True, slots=True)
class DevicePlan:
    """A device whose history is invented.

    ``metrics`` are counters of each port, of PORT_COUNTERS; ``chosen`` are those
    of all counters that are polled, by their number, all if it is empty.
    """

    device_id: str
    name: str
    ports: tuple[Port, ...]
    metrics: tuple[str, ...] = _TRAFFIC
    gauges: int = len(DEVICE_GAUGES)
    tenant_id: str = DEFAULT_TENANT_ID
    chosen: tuple[int, ...] = ()

    @property
    def points_per_poll(self) -> int:
        """How many values a poll brings: counters and gauges, no rates."""
        return len(self.polled()) + self.gauges

    def polled(self) -> list[tuple[Port, str]]:
        """Return the counters that are polled, port by port: the port and the metric."""
        found = [(port, metric) for port in self.ports for metric in self.metrics]
        return [found[number] for number in self.chosen] or found

    def counters(self) -> list[Series]:
        """Return the counters, in the order of their values."""
        return [shared_series(metric, port.instance, Lane.COUNTER) for port, metric in self.polled()]

    def gauge_series(self) -> list[Series]:
        """Return the gauges."""
        return [
            shared_series(metric, instance, Lane.GAUGE) for metric, instance in DEVICE_GAUGES[: self.gauges]
        ]

    def rates(self) -> list[Series]:
        """Return the rates, in the order of their counters."""
        return [shared_series(RATE_OF[metric][0], port.instance, Lane.RATE) for port, metric in self.polled()]

    def layout(self) -> Layout:
        """Return the layout of its frames."""
        return Layout.of(SECONDS_POLLED, (*self.counters(), *self.gauge_series(), *self.rates()))


def plan_device(
    name: str,
    interfaces: int,
    *,
    device_id: str = "",
    metrics: Sequence[str] = _TRAFFIC,
    gauges: int = len(DEVICE_GAUGES),
    instances: Sequence[str] = (),
    tenant_id: str = DEFAULT_TENANT_ID,
) -> DevicePlan:
    """Return a device with so many ports: uplinks, customers, and a third idle or down.

    The same name gives the same ports. ``instances`` are the ids of ports that are known.
    """
    dice = np.random.default_rng(seed_of(name))
    uplinks = max(1, round(interfaces * _UPLINK_SHARE))
    idle, down = round(interfaces * _IDLE_SHARE), round(interfaces * _DOWN_SHARE)
    uses = [Use.UPLINK] * uplinks + [Use.CUSTOMER] * max(0, interfaces - uplinks - idle - down)
    uses = (uses + [Use.IDLE] * idle + [Use.DOWN] * down)[:interfaces]
    ports = []
    for number, use in enumerate(uses):
        instance = instances[number] if number < len(instances) else f"*{number + 1:X}"
        ports.append(_port(instance, use, dice))
    return DevicePlan(
        device_id or str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.backfill.mtd")),
        name,
        tuple(ports),
        tuple(metrics),
        gauges,
        tenant_id,
    )


def _port(instance: str, use: Use, dice: np.random.Generator) -> Port:
    if use is Use.UPLINK:
        return Port(instance, use, _UPLINK_BPS, float(dice.uniform(0.15, 0.55)))
    # Plans of households: a few to a hundred Mbit/s, of which the mean use is a small part.
    speed = int(dice.choice((10, 20, 50, 100))) * _PORT_BPS // 100
    return Port(instance, use, speed, float(dice.uniform(0.002, 0.02)))


def seed_of(text: str) -> int:
    """Return a number that only this text has."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
