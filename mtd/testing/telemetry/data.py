"""What is stored in the benches of the storage, and what kind of series each is."""

from __future__ import annotations

from dataclasses import dataclass

from mtd.backfill.fleet import PORT_COUNTERS, DevicePlan, Port, Use, plan_device
from mtd.model.layout import Series
from mtd.model.metric import Lane

HOUR_US = 3_600_000_000
A_NAME = "bench-a"
B_NAMES = "bench-b*"
# In the proportions of a router of 30 ports: of its traffic counters 1 in 15 is of an uplink, 3 in 5 are of
# households, 1 in 3 is of a port that is idle or down. Here: the uplink's bytes in; the household's bytes both ways and
# packets out; the idle port's bytes in; and one gauge.
_A_CHOSEN = (0, 4, 5, 7, 8)
UPLINK_INSTANCE = "*1"


@dataclass(frozen=True, slots=True)
class DataPlan:
    """A: 6 series over days at 1 Hz. B: many interfaces with 8 counters over one hour, the last of A's.

    ``end_hour`` is counted since the epoch. Of A's last ``frame_hours`` the
    frames go through projection and compaction, as all of B's do. For queries
    there is a day of the reference load as well: 3 routers of ``day_interfaces``, 390 series.
    """

    end_hour: int
    days: int = 90
    routers: int = 20
    interfaces: int = 50
    frame_hours: int = 2
    seed: int = 1
    day_hours: int = 24
    day_interfaces: int = 30

    @property
    def day_first_hour(self) -> int:
        """First hour of the reference load's day, the last whole one by UTC, or of its last hours."""
        return self.end_hour // 24 * 24 - self.day_hours

    def day(self) -> list[DevicePlan]:
        """Return the routers of the reference load."""
        return reference_devices(interfaces=self.day_interfaces)

    @property
    def first_hour(self) -> int:
        """A's first hour."""
        return self.end_hour - self.days * 24

    def a(self) -> DevicePlan:
        """Return the device of A: a busy uplink, a household, an idle port, and the load of the processor."""
        ports = (
            Port(UPLINK_INSTANCE, Use.UPLINK, 1_000_000_000, 0.35),
            Port("*2", Use.CUSTOMER, 50_000_000, 0.01),
            Port("*3", Use.IDLE, 100_000_000, 0.0),
        )
        plan = plan_device(A_NAME, 0, gauges=1)
        return DevicePlan(plan.device_id, A_NAME, ports, plan.metrics, 1, chosen=_A_CHOSEN)

    def b(self) -> list[DevicePlan]:
        """Return the devices of B."""
        return [
            plan_device(f"bench-b{number:02}", self.interfaces, metrics=PORT_COUNTERS, gauges=0)
            for number in range(1, self.routers + 1)
        ]


def reference_devices(routers: int = 3, interfaces: int = 30) -> list[DevicePlan]:
    """Return the routers of S000-7.4.1: each second 4 counters of each interface, and 10 values of their own."""
    return [plan_device(f"reference-{number}", interfaces) for number in range(1, routers + 1)]


def kind_of(plan: DevicePlan, series: Series) -> str:
    """Return what kind of series it is, for figures by kind."""
    if series.lane is Lane.GAUGE:
        return series.metric.removeprefix("system.")
    use = next(port.use for port in plan.ports if port.instance == series.instance)
    what = series.metric.removeprefix("iface.").split("_")[1]
    if what in {"errors", "drops"}:
        return "errors and drops"
    return f"{use}, {what}" if use in {Use.UPLINK, Use.CUSTOMER} else f"{use}"
