"""``scripts/bench storage``: bytes of a point our way and as narrow rows, and how fast they come in."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mtd.backfill.fill import Filled, Filling
from mtd.backfill.fleet import DevicePlan
from mtd.backfill.history import DeviceHistory, DeviceHour
from mtd.testing.telemetry import narrow
from mtd.testing.telemetry.data import HOUR_US, DataPlan, kind_of
from mtd.testing.telemetry.server import (
    BLOCKS,
    HOT,
    ROLLUPS,
    Connection,
    Server,
    add_devices,
    connect,
    machine,
    one,
    running_server,
    size_of,
)
from mtd.testing.telemetry.stages import Stage, backfill, compact, ingest

Say = Callable[[str], None]

READABLE_A, DENSE_A, READABLE_B, DENSE_B, NARROW = "mtd", "dense_a", "readable_b", "dense_b", "narrow"
PLAN_FILE = "bench.json"
_STEPS = ("10s", "1m", "5m")


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes on the disk, all in, of so many points."""

    points: int
    blocks: int
    rollups: int
    buckets: int
    kinds: dict[str, dict[str, float]]

    def per_point(self) -> float:
        """Bytes of a point in blocks and axes."""
        return self.blocks / self.points


def measure_storage(folder: Path, plan: DataPlan, say: Say, narrow_days: int) -> dict[str, Any]:
    """Store A and B in each way; return the figures."""
    (folder / PLAN_FILE).write_text(json.dumps({**asdict(plan), "narrow_days": narrow_days}))
    started = time.monotonic()
    with running_server(folder) as server:
        b_in, b_out, hot = _through_projection(server, folder, plan, say)
        filled, a = _a(server, folder, plan, say)
        readable_b = _kept(server, READABLE_B, plan.b())
        dense_a, dense_b = _dense(server, plan, say)
        rows = _narrow(server, plan, narrow_days, say)
    points = a.points + readable_b.points
    figures: dict[str, Any] = {
        "bytes_per_point_hot": hot,
        "bytes_per_point_sql": _mean(a, readable_b),
        "bytes_per_point_dense": _mean(dense_a, dense_b),
        "bytes_per_point_narrow": rows["bytes_per_row"],
        "ingest_points_s": b_in.points_per_s,
        "compact_points_s": b_out.points_per_cpu_s,
        "rollup_bytes_per_point": (a.rollups + readable_b.rollups) / points,
    }
    figures = {name: round(value, 3 if value < 1000 else None) for name, value in figures.items()}
    figures["ratio_sql"] = round(figures["bytes_per_point_narrow"] / figures["bytes_per_point_sql"], 1)
    figures["ratio_dense"] = round(figures["bytes_per_point_narrow"] / figures["bytes_per_point_dense"], 1)
    figures["A"] = _figures_of(a, dense_a)
    figures["B"] = _figures_of(readable_b, dense_b)
    figures["narrow"] = rows
    figures["ingest"] = stage_figures(b_in)
    figures["compaction"] = stage_figures(b_out)
    figures["backfill"] = {"points": filled.points, "points_s": round(filled.points_per_s)}
    figures["data"] = {**asdict(plan), "seconds": round(time.monotonic() - started)}
    figures["machine"] = machine()
    return figures


def _through_projection(server: Server, folder: Path, plan: DataPlan, say: Say) -> tuple[Stage, Stage, float]:
    """B comes in as frames and is compacted, as in use."""
    with connect(server.dsn(READABLE_B)) as connection:
        add_devices(connection, plan.b())
        say("B: an event log of frames, then projected")
        came = ingest(
            server,
            READABLE_B,
            folder / "b.db",
            plan.b(),
            first_hour=plan.end_hour - 1,
            first_frame_hour=plan.end_hour - 1,
            hours=1,
            seed=plan.seed,
        )
        connection.execute("VACUUM ANALYZE")
        hot = size_of(connection, HOT) / came.points
        say("B: compacted")
        went = compact(server, READABLE_B)
        if went.points != came.points:
            raise AssertionError(f"{came.points} points came in, {went.points} were compacted")
    return came, went, hot


def _a(server: Server, folder: Path, plan: DataPlan, say: Say) -> tuple[Filled, Kept]:
    """A is written as blocks; its last hours come in as frames, and all of B with them, for the queries."""
    with connect(server.dsn(READABLE_A)) as connection:
        add_devices(connection, [plan.a(), *plan.b()])
    filling = Filling([plan.a()], plan.first_hour, plan.days * 24 - plan.frame_hours, seed=plan.seed)
    filled = backfill(server, READABLE_A, filling, say)
    say(f"A: the frames of its last {plan.frame_hours} hours")
    ingest(
        server,
        READABLE_A,
        folder / "a.db",
        [plan.a()],
        first_hour=plan.first_hour,
        first_frame_hour=plan.end_hour - plan.frame_hours,
        hours=plan.frame_hours,
        seed=plan.seed,
    )
    compact(server, READABLE_A)
    kept = _kept(server, READABLE_A, [plan.a()])
    say("B beside A, for the queries")
    backfill(server, READABLE_A, _filling_b(plan), say)
    with connect(server.dsn(READABLE_A)) as connection:
        connection.execute("VACUUM ANALYZE")
    return filled, kept


def _filling_b(plan: DataPlan) -> Filling:
    return Filling(plan.b(), plan.end_hour - 1, 1, seed=plan.seed)


def _dense(server: Server, plan: DataPlan, say: Say) -> tuple[Kept, Kept]:
    """A and B once more, as dense blocks."""
    everything = Filling([plan.a()], plan.first_hour, plan.days * 24, seed=plan.seed, dense=True)
    backfill(server, DENSE_A, everything, say)
    backfill(server, DENSE_B, replace(_filling_b(plan), dense=True), say)
    return _kept(server, DENSE_A, [plan.a()]), _kept(server, DENSE_B, plan.b())


def _narrow(server: Server, plan: DataPlan, days: int, say: Say) -> dict[str, Any]:
    """A's last days and all of B, value by value."""
    with connect(server.dsn(NARROW)) as connection:
        connection.execute("SET synchronous_commit = off")
        narrow.create(connection)
        rows, seconds = narrow.load(connection, _days_of_a(plan, days, say))
        say("narrow: B")
        histories = [DeviceHistory(device, plan.end_hour - 1, plan.seed) for device in plan.b()]
        more, longer = narrow.load(connection, (_together(histories) for _ in range(1)))
        say("narrow: vacuumed")
        connection.execute("VACUUM ANALYZE mtd.narrow")
        sizes = narrow.sizes(connection)
    total = rows + more
    return {
        "rows": total,
        "days_of_a": days,
        "bytes_per_row": round(sum(sizes.values()) / total, 2),
        "heap_bytes_per_row": round(sizes["heap"] / total, 2),
        "btree_bytes_per_row": round(sizes["btree"] / total, 2),
        "copied_rows_s": round(total / (seconds + longer)),
    }


def _days_of_a(plan: DataPlan, days: int, say: Say) -> Iterator[list[tuple[int, DeviceHour]]]:
    history = DeviceHistory(plan.a(), plan.first_hour, plan.seed)
    for number, hour in enumerate(history.hours(plan.days * 24)):
        if number >= (plan.days - days) * 24:
            if number % 24 == 0:
                say(f"narrow: A, day {number // 24 + 1} of {plan.days}")
            yield [(0, hour)]


def _together(histories: list[DeviceHistory]) -> list[tuple[int, DeviceHour]]:
    return [(number, next(history.hours(1))) for number, history in enumerate(histories, start=1)]


# -- what is on the disk -----------------------------------------------------------

_BY_SERIES = """
SELECT s.device_id::text, s.metric, s.instance, s.lane, sum(b.points)::int8,
       sum(coalesce(pg_column_size(b.value1), pg_column_size(b.value2), pg_column_size(b.value4),
                    pg_column_size(b.value8), pg_column_size(b.value8f), pg_column_size(b.packed), 0))::int8
FROM mtd.telemetry_block b JOIN mtd.series s USING (series_id) GROUP BY 1, 2, 3, 4
"""


def _kept(server: Server, database: str, plans: list[DevicePlan]) -> Kept:
    with connect(server.dsn(database)) as connection:
        connection.execute("VACUUM ANALYZE")
        points = int(one(connection, "SELECT sum(points)::int8 FROM mtd.telemetry_block"))
        buckets = sum(
            int(one(connection, f"SELECT coalesce(sum(buckets), 0)::int8 FROM mtd.rollup_{step}"))  # noqa: S608
            for step in _STEPS
        )
        return Kept(
            points,
            size_of(connection, BLOCKS),
            size_of(connection, ROLLUPS),
            buckets,
            _by_kind(connection, plans),
        )


def _by_kind(connection: Connection, plans: list[DevicePlan]) -> dict[str, dict[str, float]]:
    """Return what the values of each kind of series take, as stored, without keys, axes and indexes."""
    by_id = {plan.device_id: plan for plan in plans}
    kinds: dict[tuple[str, str, str, str], str] = {}
    for plan in plans:
        for series in (*plan.counters(), *plan.gauge_series()):
            kinds[plan.device_id, series.metric, series.instance, str(series.lane)] = kind_of(plan, series)
    found: dict[str, list[int]] = {}
    for device_id, metric, instance, lane, points, size in connection.execute(_BY_SERIES):
        if device_id in by_id:
            sums = found.setdefault(kinds[device_id, metric, instance, lane], [0, 0, 0])
            sums[0] += 1
            sums[1] += points
            sums[2] += size
    return {
        kind: {"series": series, "bytes_per_point": round(size / points, 3)}
        for kind, (series, points, size) in sorted(found.items())
    }


def _mean(*several: Kept) -> float:
    return sum(kept.blocks for kept in several) / sum(kept.points for kept in several)


def _figures_of(readable: Kept, dense: Kept) -> dict[str, Any]:
    return {
        "points": readable.points,
        "bytes_per_point_sql": round(readable.per_point(), 3),
        "bytes_per_point_dense": round(dense.per_point(), 3),
        "rollup_bytes_per_point": round(readable.rollups / readable.points, 3),
        "rollup_bytes_per_bucket": round(readable.rollups / readable.buckets, 2),
        "values_by_kind": {
            kind: {
                "series": figures["series"],
                "sql": figures["bytes_per_point"],
                "dense": dense.kinds[kind]["bytes_per_point"],
            }
            for kind, figures in readable.kinds.items()
        },
    }


def stage_figures(stage: Stage) -> dict[str, Any]:
    """Return what a stage did and took."""
    return {
        "points": stage.points,
        "seconds": round(stage.seconds, 2),
        "points_s": round(stage.points_per_s),
        "cpu_s": round(stage.cpu_s, 2),
        "postgresql_cpu_s": round(stage.server_cpu_s, 2),
        "points_per_cpu_s": round(stage.points_per_cpu_s),
        "wal_bytes_per_point": round(stage.wal_bytes / stage.points, 2),
    }


def last_closed_hour() -> int:
    """Return the hour that is being filled, less one: all before it are over for long enough."""
    return time.time_ns() // 1000 // HOUR_US - 1
