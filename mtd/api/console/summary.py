"""A device in seven numbers: how they are found in its frames. Compiled once per layout."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from mtd.api.grpc.layouts import KnownLayout
from mtd.api.grpc.overlaps import NONE
from mtd.model.interfaces import PHYSICAL_TYPES
from mtd.model.layout import Series
from mtd.model.metric import Lane
from mtd.pb.telemetry.v1.telemetry_service_pb2 import LatestUpdate

CPU = "system.cpu.load_pct"
MEMORY_FREE = "system.memory.free_bytes"
MEMORY_TOTAL = "system.memory.total_bytes"
UPTIME = "system.uptime_seconds"
RX = "iface.rx_bps"
TX = "iface.tx_bps"
ERRORS = frozenset({"iface.rx_errors_per_s", "iface.tx_errors_per_s"})

Pick = Callable[[Sequence[float]], Sequence[float]]


@dataclass(slots=True)
class Summary:
    """What is shown of a device in a list. Absent: NaN."""

    t_us: int = 0
    cpu_pct: float = math.nan
    mem_pct: float = math.nan
    rx_bps: float = math.nan
    tx_bps: float = math.nan
    errors_per_s: float = math.nan
    uptime_s: float = math.nan

    def shown(self) -> dict[str, float | None]:
        """Return it with as many digits as anyone can use."""
        return {
            "t_us": self.t_us,
            "cpu_pct": rounded(self.cpu_pct, 1),
            "mem_pct": rounded(self.mem_pct, 1),
            "rx_bps": rounded(self.rx_bps),
            "tx_bps": rounded(self.tx_bps),
            "errors_per_s": rounded(self.errors_per_s, 3),
            "uptime_s": rounded(self.uptime_s),
        }


def rounded(value: float, digits: int = 0) -> float | None:
    """Return a number with so many digits, an integer if none; None for what is absent."""
    if not math.isfinite(value):
        return None
    return round(value, digits) if digits else round(value)


class SummaryPlan:
    """Where one layout of one device has what the summary needs."""

    __slots__ = ("_errors", "_gauges", "_rx", "_tx", "_without", "empty", "known", "types_version")

    def __init__(
        self,
        known: KnownLayout,
        types: Mapping[str, str],
        types_version: int,
        without: frozenset[Series] = NONE,
    ) -> None:
        self.known = known
        self.types_version = types_version
        self._without = without
        gauges: dict[str, int] = {}
        ports: dict[str, list[int]] = {RX: [], TX: [], "errors": []}
        seen = dict.fromkeys(Lane, 0)
        for series in known.layout.series:
            position = seen[series.lane]
            seen[series.lane] += 1
            if series in without:
                continue
            if series.lane is Lane.GAUGE and not series.instance:
                gauges[series.metric] = position
            elif series.lane is Lane.RATE and types.get(series.instance) in PHYSICAL_TYPES:
                name = "errors" if series.metric in ERRORS else series.metric
                if name in ports:
                    ports[name].append(position)
        self._gauges = tuple(gauges.get(metric) for metric in (CPU, MEMORY_FREE, MEMORY_TOTAL, UPTIME))
        self._rx, self._tx, self._errors = map(_picker, ports.values())
        self.empty = all(position is None for position in self._gauges) and not any(ports.values())

    def is_of(self, known: KnownLayout, types_version: int, without: frozenset[Series]) -> bool:
        """Whether it was made of these."""
        return known is self.known and types_version == self.types_version and without == self._without

    def fill(self, summary: Summary, update: LatestUpdate) -> None:
        """Add what this frame tells; what it doesn't have stays as it is."""
        summary.t_us = max(summary.t_us, update.collected_at_us)
        cpu, free, total, uptime = (
            math.nan if position is None else update.gauges[position] for position in self._gauges
        )
        if cpu == cpu:
            summary.cpu_pct = cpu
        if total > 0 and free == free:
            summary.mem_pct = 100.0 * (total - free) / total
        if uptime == uptime:
            summary.uptime_s = uptime
        rates = update.rates[:]
        summary.rx_bps = _sum(summary.rx_bps, self._rx(rates))
        summary.tx_bps = _sum(summary.tx_bps, self._tx(rates))
        summary.errors_per_s = _sum(summary.errors_per_s, self._errors(rates))


def _sum(before: float, values: Sequence[float]) -> float:
    """Return the sum of what is there: NaN only if nothing is."""
    there = [value for value in values if value == value]
    if not there:
        return before
    return math.fsum(there) + (before if before == before else 0.0)


def _picker(indexes: Sequence[int]) -> Pick:
    if not indexes:
        return lambda _: ()
    if len(indexes) == 1:
        only = indexes[0]
        return lambda values: (values[only],)
    return itemgetter(*indexes)
