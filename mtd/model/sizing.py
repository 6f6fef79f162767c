"""How large it becomes: points, disk by table, write-ahead log, and the machine for it.

Pure. What a point costs on the disk are ``Costs``: figures of the installation
where it has some, else the defaults, which say where they come from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType

DAY_S = 86_400
MONTH_DAYS = 365 / 12
MONTHS = (6, 12, 24)

STEPS_S: Mapping[str, int] = MappingProxyType({"rollup_10s": 10, "rollup_1m": 60, "rollup_5m": 300})
"""Rollup table: seconds of a bucket."""

DEFAULTS_FROM = (
    'docs/performance.md, section "Storage": the reference load, measured; an event is an estimate'
)

# An hour fills while the one before is compacted.
_HOT_HOURS = 2.0
_CURRENT_BYTES_PER_SERIES = 60.0
_CURRENT_BYTES_PER_INTERFACE = 1500.0
# From docs/performance.md: 1,084 and 719 us for a poll of 366 values; compaction of 1.4 M points a second of one core.
_DAEMON_CPU_S_PER_POINT = 3.0e-6
_DATABASE_CPU_S_PER_POINT = 2.0e-6
_COMPACTION_CPU_S_PER_POINT = 0.7e-6
_CPU_HEADROOM = 2.0
_BASE_RAM_BYTES = 400e6
_RAM_BYTES_PER_SERIES = 1500.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is collected. ``t0_metrics`` are values of an interface, ``device_metrics`` of the router itself.

    ``t0_interfaces`` of each router are polled each interval, None for all; the others each ``rest_interval_s``.
    """

    routers: int
    interfaces: int
    t0_metrics: int = 4
    device_metrics: int = 10
    interval_s: float = 1.0
    slow_metrics: int = 0  # values of a router each minute
    events_per_router_day: float = 20.0
    t0_interfaces: int | None = None
    rest_interval_s: float = 10.0

    @property
    def fast_series(self) -> int:
        """Series that are polled each interval."""
        return self.routers * (self._fast_interfaces * self.t0_metrics + self.device_metrics)

    @property
    def series(self) -> int:
        """All series."""
        return sum(count for count, _ in self._polled())

    @property
    def points_per_s(self) -> float:
        """Values that the routers send in a second; what is derived from them doesn't count."""
        return sum(count / every_s for count, every_s in self._polled())

    @property
    def points_per_day(self) -> float:
        """The same in a day."""
        return self.points_per_s * DAY_S

    def buckets_per_day(self, step_s: int) -> float:
        """Return the rollup buckets that a day fills: of a series polled less often, one for each poll."""
        return DAY_S * sum(count / max(step_s, every_s) for count, every_s in self._polled())

    @property
    def _fast_interfaces(self) -> int:
        return self.interfaces if self.t0_interfaces is None else min(self.interfaces, self.t0_interfaces)

    def _polled(self) -> tuple[tuple[int, float], ...]:
        """Return series and the seconds between two polls of them."""
        rest = self.routers * (self.interfaces - self._fast_interfaces) * self.t0_metrics
        return (
            (self.fast_series, self.interval_s),
            (rest, max(self.rest_interval_s, self.interval_s)),
            (self.routers * self.slow_metrics, 60.0),
        )


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that each kind of row is kept. ``dense_after``: age from which blocks are dense, 0 for never."""

    raw: float = 90
    dense_after: float = 0
    rollup_10s: float = 180
    rollup_1m: float = 730
    rollup_5m: float = 1825
    events: float = 730


@dataclass(frozen=True, slots=True)
class Partitioning:
    """How far ahead partitions are made, and how many retention classes there are: each has its own."""

    ahead_hours: int = 48
    ahead_days: int = 7
    classes: int = 1

    def hourly(self) -> int:
        """Return how many there are by the hour, of hours that become blocks as soon as they have ended."""
        return int(_HOT_HOURS) + self.ahead_hours

    def daily(self, days: float) -> int:
        """Return how many there are by the day, today's among the days kept."""
        return math.ceil(days) + self.ahead_days

    def monthly(self, days: float) -> int:
        """Return how many there are by the month, at most: those that are made ahead may reach into the next."""
        return int((math.ceil(days) + self.ahead_days - 2) // MONTH_DAYS) + 2


@dataclass(frozen=True, slots=True)
class Cost:
    """A figure and whether it was measured on this installation."""

    value: float
    measured: bool = False


@dataclass(frozen=True, slots=True)
class Costs:
    """Bytes on the disk, all in: heap, TOAST, indexes, timestamps. Of rollups: for a bucket of a series."""

    hot: Cost = Cost(16.6)
    sql: Cost = Cost(1.55)
    dense: Cost = Cost(0.93)
    rollup_10s: Cost = Cost(7.9)
    rollup_1m: Cost = Cost(8.1)
    rollup_5m: Cost = Cost(11.5)
    event: Cost = Cost(450.0)
    wal_hot: Cost = Cost(14.6)  # written ahead for a point that comes in
    wal_cold: Cost = Cost(
        16.9
    )  # and when it is compacted: most of it images of the pages that frames go from

    def with_measured(self, figures: Mapping[str, float | None]) -> Costs:
        """Return the costs with those that were measured in place of defaults; None was not."""
        known = {field.name for field in fields(self)}
        found = {
            name: Cost(value, measured=True)
            for name, value in figures.items()
            if value is not None and name in known
        }
        return replace(self, **found)

    def items(self) -> Iterable[tuple[str, Cost]]:
        """Give each figure by its name."""
        return ((field.name, getattr(self, field.name)) for field in fields(self))


@dataclass(frozen=True, slots=True)
class TableSize:
    """What a table holds at some time: bytes, and in how many partitions (1: it has none).

    ``within``: the table whose bytes hold those of this one as well.
    """

    table: str
    bytes: float
    partitions: int
    within: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """A class of machines, and what the load needs by what was measured."""

    routers: str
    server: str
    database: str
    agent: str
    cores: float
    ram_bytes: float


_CLASSES = (
    (
        50,
        "10-50",
        "2-4 vCPU, 8-16 GB, all on one machine",
        "on the same machine, 100-300 GB",
        "1-2 vCPU, 1-2 GB, 10-20 GB of buffer",
    ),
    (
        300,
        "50-300",
        "4-8 vCPU, 16-32 GB",
        "8 vCPU, 32 GB, NVMe",
        "2-4 vCPU, 4-8 GB at each point of presence",
    ),
    (
        None,
        "300-2000+",
        "several workers behind a queue",
        "a cluster, or a database for each region",
        "one at each point of presence",
    ),
)


def disk_after(
    load: Load, retention: Retention, costs: Costs, days: float, made: Partitioning | None = None
) -> list[TableSize]:
    """Return the size of each table when the load has run for so many days."""
    made = made or Partitioning()
    per_day = load.points_per_day
    raw_days = min(days, retention.raw)
    dense_days = max(0.0, raw_days - retention.dense_after) if retention.dense_after else 0.0
    sql_days = raw_days - dense_days
    hot = load.points_per_s * 3600 * _HOT_HOURS * costs.hot.value
    cold = per_day * (sql_days * costs.sql.value + dense_days * costs.dense.value)
    tables = [
        TableSize("telemetry_frame", hot, made.hourly()),
        TableSize("telemetry_block", cold, made.classes * made.daily(raw_days)),
        TableSize("telemetry_axis", 0.0, made.monthly(raw_days), within="telemetry_block"),
    ]
    for table, step_s in STEPS_S.items():
        kept = min(days, getattr(retention, table))
        cost: Cost = getattr(costs, table)
        size = load.buckets_per_day(step_s) * kept * cost.value
        tables.append(TableSize(table, size, made.classes * made.monthly(kept)))
    kept = min(days, retention.events)
    events = load.routers * load.events_per_router_day * kept * costs.event.value
    tables.append(TableSize("event", events, made.monthly(kept)))
    current = (
        load.series * _CURRENT_BYTES_PER_SERIES
        + load.routers * load.interfaces * _CURRENT_BYTES_PER_INTERFACE
    )
    tables.append(TableSize("latest and state", current, 1))
    return tables


def wal_per_day(load: Load, costs: Costs) -> float:
    """Return the bytes that PostgreSQL writes ahead in a day; each replica receives as many."""
    return load.points_per_day * (costs.wal_hot.value + costs.wal_cold.value)


def machine_for(load: Load, costs: Costs | None = None) -> Machine:
    """Return the class of the number of routers, and the cores and memory that this load comes to."""
    row = next(row for row in _CLASSES if row[0] is None or load.routers <= row[0])
    _, routers, server, database, agent = row
    each = _DAEMON_CPU_S_PER_POINT + _DATABASE_CPU_S_PER_POINT + _COMPACTION_CPU_S_PER_POINT
    cores = load.points_per_s * each * _CPU_HEADROOM
    # PostgreSQL's cache should hold the hour that is being filled.
    hot = load.points_per_s * 3600 * (costs or Costs()).hot.value
    ram = _BASE_RAM_BYTES + load.series * _RAM_BYTES_PER_SERIES + hot
    return Machine(routers, server, database, agent, cores, ram)


_UNIT_DAYS = {"d": 1.0, "w": 7.0, "mo": MONTH_DAYS, "y": 365.0}
_RETENTION_NAMES = {
    "raw": "raw",
    "dense": "dense_after",
    "10s": "rollup_10s",
    "1m": "rollup_1m",
    "5m": "rollup_5m",
    "events": "events",
}


def parse_retention(text: str, base: Retention | None = None) -> Retention:
    """Return a retention with what a text like ``raw=90d,10s=180d,1m=2y`` changes. Raises ValueError."""
    changed: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, length = part.partition("=")
        if name.strip() not in _RETENTION_NAMES:
            raise ValueError(f"{name.strip()!r} isn't kept: there are {', '.join(_RETENTION_NAMES)}")
        changed[_RETENTION_NAMES[name.strip()]] = _days(length.strip())
    return replace(base or Retention(), **changed)


def _days(text: str) -> float:
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :] or "d"
    try:
        days = float(number) * _UNIT_DAYS[unit]
    except (ValueError, KeyError):
        raise ValueError(f"{text!r} is no length of time: write 90d, 8w, 6mo or 2y") from None
    if not 0 <= days < 1e6:
        raise ValueError(f"{text!r} is no length of time that anything is kept")
    return days
