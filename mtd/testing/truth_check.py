"""What PostgreSQL holds, against what the lab's routers truly did.

The lab's values are functions of its clock, and all values of one reply are of
one tick. So a stored frame is right if there is a tick, between the question
and the answer, at which every counter has exactly the stored value.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import psycopg

from mtd.lab.world import World

# Metric of the catalogue -> property of RouterOS
COUNTER_PROPERTIES = {
    "iface.rx_bytes_total": "rx-byte",
    "iface.tx_bytes_total": "tx-byte",
    "iface.rx_packets_total": "rx-packet",
    "iface.tx_packets_total": "tx-packet",
    "iface.rx_errors_total": "rx-error",
    "iface.tx_errors_total": "tx-error",
    "iface.rx_drops_total": "rx-drop",
    "iface.tx_drops_total": "tx-drop",
    "iface.tx_queue_drops_total": "tx-queue-drop",
    "iface.link_downs_total": "link-downs",
}
RATE_PROPERTIES = {"iface.rx_bps": ("rx-byte", 8), "iface.tx_bps": ("tx-byte", 8)}
STATE_PROPERTIES = {"iface.oper_state": "running", "iface.admin_state": "disabled"}
RESOURCE_PROPERTIES = {
    "system.cpu.load_pct": "cpu-load",
    "system.memory.free_bytes": "free-memory",
    "system.memory.total_bytes": "total-memory",
    "system.disk.free_bytes": "free-hdd-space",
    "system.disk.total_bytes": "total-hdd-space",
    "system.uptime_seconds": "uptime",
}
CPU_LOAD = "system.cpu.load_pct"
# Slower flows are coarse by the rounding of the counter itself.
_SLOWEST_RATE_PER_S = 1000.0
# The collector's clock is read when the answer arrives; the router read its counters before.
_SLACK_US = 5_000


@dataclass(slots=True)
class _Frame:
    collected_us: int
    poll_duration_us: int
    layout_id: int
    counters: list[int | None]
    gauges: list[float | None]
    rates: list[float | None]


@dataclass(slots=True)
class TruthFigures:
    """Findings over all frames looked at."""

    frames: int = 0
    counters: int = 0
    counter_errors: int = 0
    cpu_errors: int = 0
    rate1_errors_pct: list[float] = field(default_factory=list)
    rate10_errors_pct: list[float] = field(default_factory=list)

    @property
    def rate1_error_p99_pct(self) -> float:
        """99th percentile of the error of the stored one-second rates, percent."""
        return float(np.percentile(self.rate1_errors_pct, 99)) if self.rate1_errors_pct else float("nan")

    @property
    def rate10_error_max_pct(self) -> float:
        """Largest error of a rate over ten seconds of stored counters, percent."""
        return max(self.rate10_errors_pct, default=float("nan"))


class TruthCheck:
    """Compares stored T0 frames of lab routers with the lab's truth."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]], world: World) -> None:
        self._connection = connection
        self._world = world
        self._layouts: dict[int, dict[str, list[tuple[str, str]]]] = {}
        self.figures = TruthFigures()

    def run(self, routers: Sequence[str], start_us: int, end_us: int) -> TruthFigures:
        """Check the frames of these routers within a range of time; microseconds since the epoch."""
        for router in routers:
            frames = list(self._frames(router, start_us, end_us))
            for frame in frames:
                self._check_counters(router, frame)
                self._check_cpu(router, frame)
            self._check_rates(router, frames)
        return self.figures

    def _frames(self, router: str, start_us: int, end_us: int) -> Iterator[_Frame]:
        rows = self._connection.execute(
            "SELECT (extract(epoch FROM f.ts_collected) * 1000000)::bigint, f.poll_duration_us, f.layout_id,"
            " f.counters, f.gauges, f.rates"
            " FROM mtd.telemetry_frame f JOIN mtd.device d USING (tenant_id, device_id)"
            " JOIN mtd.series_layout s USING (tenant_id, layout_id)"
            " WHERE d.name = %s AND s.poll_group = 't0'"
            " AND f.ts_collected >= to_timestamp(%s / 1e6) AND f.ts_collected < to_timestamp(%s / 1e6)"
            " ORDER BY f.ts_collected",
            (router, start_us, end_us),
            binary=True,
        )
        for row in rows:
            yield _Frame(*row)  # type: ignore[arg-type]

    def _lane(self, layout_id: int, lane: str) -> list[tuple[str, str]]:
        lanes = self._layouts.get(layout_id)
        if lanes is None:
            rows = self._connection.execute(
                "SELECT lane::text, metric, instance FROM mtd.series_layout_entry"
                " WHERE layout_id = %s ORDER BY lane, position",
                (layout_id,),
            )
            lanes = {}
            for name, metric, instance in rows:
                lanes.setdefault(str(name), []).append((str(metric), str(instance)))
            self._layouts[layout_id] = lanes
        return lanes.get(lane, [])

    def _check_counters(self, router: str, frame: _Frame) -> None:
        values: dict[str, dict[str, int]] = {}
        for (metric, instance), value in zip(
            self._lane(frame.layout_id, "counter"), frame.counters, strict=True
        ):
            if value is not None:
                values.setdefault(instance, {})[COUNTER_PROPERTIES[metric]] = value
        first, last = self._ticks(frame)
        self.figures.frames += 1
        self.figures.counters += sum(map(len, values.values()))
        if self._world.router(router).match(values, first, last) is None:
            self.figures.counter_errors += 1

    def _check_cpu(self, router: str, frame: _Frame) -> None:
        names = [metric for metric, _ in self._lane(frame.layout_id, "gauge")]
        stored = frame.gauges[names.index(CPU_LOAD)]
        first, last = self._ticks(frame)
        truth = self._world.router(router)
        possible = {truth.resource(tick).cpu_load_pct for tick in range(first, last + 1)}
        if stored not in possible:
            self.figures.cpu_errors += 1

    def _ticks(self, frame: _Frame) -> tuple[int, int]:
        clock = self._world.clock
        earliest = frame.collected_us - frame.poll_duration_us - _SLACK_US
        return clock.tick_at(earliest), clock.tick_at(frame.collected_us + _SLACK_US)

    def _check_rates(self, router: str, frames: Sequence[_Frame]) -> None:
        for before, frame in zip(frames, frames[1:], strict=False):
            if frame.collected_us - before.collected_us > 2_500_000:
                continue
            for (metric, instance), rate in zip(
                self._lane(frame.layout_id, "rate"), frame.rates, strict=True
            ):
                if rate is None or metric not in RATE_PROPERTIES:
                    continue
                prop, scale = RATE_PROPERTIES[metric]
                error = self._error_pct(router, instance, prop, before, frame, rate / scale)
                if error is not None:
                    self.figures.rate1_errors_pct.append(error)
        for before, frame in zip(frames, frames[10:], strict=False):
            self._check_ten_seconds(router, before, frame)

    def _check_ten_seconds(self, router: str, before: _Frame, frame: _Frame) -> None:
        if before.layout_id != frame.layout_id:
            return
        seconds = (frame.collected_us - before.collected_us) / 1e6
        lane = self._lane(frame.layout_id, "counter")
        for (metric, instance), old, new in zip(lane, before.counters, frame.counters, strict=True):
            prop = COUNTER_PROPERTIES[metric]
            if prop in ("rx-byte", "tx-byte") and old is not None and new is not None and new >= old:
                error = self._error_pct(router, instance, prop, before, frame, (new - old) / seconds)
                if error is not None:
                    self.figures.rate10_errors_pct.append(error)

    def _error_pct(
        self, router: str, instance: str, prop: str, before: _Frame, frame: _Frame, rate: float
    ) -> float | None:
        clock = self._world.clock
        truth = self._world.router(router).true_rate(
            instance, prop, clock.tick_at(before.collected_us), clock.tick_at(frame.collected_us)
        )
        if truth is None or truth < _SLOWEST_RATE_PER_S:
            return None
        return abs(rate - truth) / truth * 100.0
