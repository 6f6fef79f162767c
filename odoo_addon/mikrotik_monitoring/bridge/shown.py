"""What the widgets show of a device, and what of it is about subscribers."""

from __future__ import annotations

from typing import Any

from ..gateway.subscribers import MARK, names_subscriber

LIVE_TYPE = "mikrotik_monitoring.live"
DIAGNOSTIC_TYPE = "mikrotik_monitoring.diagnostic"

PLAIN, FULL = "plain", "full"
KINDS = (PLAIN, FULL)

RX, TX = "iface.rx_bps", "iface.tx_bps"
ERRORS = ("iface.rx_errors_per_s", "iface.tx_errors_per_s")
CPU = "system.cpu.load_pct"
MEMORY_FREE, MEMORY_TOTAL = "system.memory.free_bytes", "system.memory.total_bytes"
UPTIME = "system.uptime_seconds"

METRICS = (
    CPU,
    "system.core.load_pct",
    MEMORY_FREE,
    MEMORY_TOTAL,
    "system.disk.free_bytes",
    "system.disk.total_bytes",
    UPTIME,
    "system.health.temperature_celsius",
    "system.health.voltage_volts",
    "system.health.power_watts",
    "iface.admin_state",
    "iface.oper_state",
    RX,
    TX,
    *ERRORS,
    "iface.rx_drops_per_s",
    "iface.tx_drops_per_s",
    "iface.rx_errors_total",
    "iface.tx_errors_total",
    "iface.rx_drops_total",
    "iface.tx_drops_total",
    "iface.rx_bytes_total",
    "iface.tx_bytes_total",
    "iface.link_downs_total",
    "iface.link_speed_bps",
)
"""Those of ``kpis.js`` and ``interfaces.js``: nothing else is asked of mtd, or sent."""

# mtd's own, where neither the device nor its interfaces tell others.
DEFAULT_INTERVALS_S = {"t0": 1.0, "t1": 10.0, "t2": 60.0, "t3": 900.0}

_SUBSCRIBER_EVENTS = ("ppp.session.", "ppp.secret", "hotspot.", "dhcp.lease.", "dhcp6.binding.")


def is_about_subscriber(event: Any) -> bool:
    """Whether an event of mtd says who a subscriber is, or what he does."""
    return (
        event.event_type.startswith(_SUBSCRIBER_EVENTS)
        or names_subscriber(event.entity_label)
        or MARK in event.message
    )
