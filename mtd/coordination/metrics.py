"""Metrics of coordination."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

COORDINATOR = Gauge(
    "mtd_coordination_coordinator", "Whether this process decides who polls what: 1 in one process at a time."
)
COLLECTORS = Gauge(
    "mtd_coordination_collectors", "Collectors that take part, as this coordinator sees them.", ["state"]
)
DEVICES = Gauge("mtd_coordination_devices", "Devices that a collector is to poll.", ["collector"])
WAITING = Gauge(
    "mtd_coordination_devices_waiting",
    "Devices that nobody polls: no collector may, or the one that has them alone isn't heard of.",
    ["reason"],
)
MOVES = Counter("mtd_coordination_moves_total", "Devices that were given to another collector.", ["reason"])
PLANS = Counter("mtd_coordination_plans_total", "How often it was decided who polls what.", ["result"])
LEASES_OVER = Counter(
    "mtd_coordination_leases_over_total", "Times that this process could not renew its lease in time."
)
LEASES_LOST = Counter(
    "mtd_coordination_leases_lost_total", "Times that this process lost its lease: others got its devices."
)
