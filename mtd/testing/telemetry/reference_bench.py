"""``scripts/bench reference``: a day of the reference load (S000-7.4.1), and what 90 days of it take."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtd.backfill.fill import Filling
from mtd.backfill.fleet import DevicePlan
from mtd.codec.rollups import Buckets
from mtd.model.sizing import STEPS_S
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.status import read_status
from mtd.storage.outlook import project
from mtd.storage.retention import Retention
from mtd.testing.telemetry.data import HOUR_US, reference_devices
from mtd.testing.telemetry.server import (
    BLOCKS,
    HOT,
    Server,
    add_devices,
    connect,
    machine,
    one,
    running_server,
    size_of,
)
from mtd.testing.telemetry.stages import Stage, backfill, compact, ingest
from mtd.testing.telemetry.storage_bench import stage_figures

Say = Callable[[str], None]

READABLE, DENSE = "mtd", "dense"
POINTS_PER_DAY = 33_696_000
_DAYS = 90


@dataclass(frozen=True, slots=True)
class ReferencePlan:
    """3 routers with 30 interfaces of 4 counters, and 10 values of the router itself, each second.

    With fewer routers it is a part of the load; what 90 days take is still told of all of it.
    """

    first_hour: int
    hours: int = 24
    seed: int = 1
    routers: int = 3

    def devices(self) -> list[DevicePlan]:
        """Return the routers."""
        return reference_devices(self.routers)


def yesterday(hours: int) -> int:
    """Return the hour, counted since the epoch, at which the last whole UTC day begins, or its last hours."""
    midnight = time.time_ns() // 1000 // (24 * HOUR_US) * 24
    return midnight - hours


def measure_reference(folder: Path, plan: ReferencePlan, say: Say) -> dict[str, Any]:
    """Load the day through log and projection, compact it, and tell what is on the disk."""
    with running_server(folder) as server:
        came, went, hot_bytes = _through_projection(server, folder, plan, say)
        say("the same as dense blocks")
        filling = Filling(plan.devices(), plan.first_hour, plan.hours, seed=plan.seed, dense=True)
        filled = backfill(server, DENSE, filling, say)
        readable, dense = _disk(server, READABLE), _disk(server, DENSE)
        told = {database: _told_by_status(server, database) for database in (READABLE, DENSE)}
        settled = _settled(server)
    days = came.points / POINTS_PER_DAY
    rollups = sum(readable[table] for table in STEPS_S)
    scale = _DAYS / days
    return {
        "points": came.points,
        "points_per_day_of_the_load": POINTS_PER_DAY,
        "faster_than_real_time": round(plan.hours * 3600 / came.seconds),
        "bytes_per_point_hot": round(hot_bytes / came.points, 3),
        "bytes_per_point_sql": round(readable["blocks"] / came.points, 3),
        "bytes_per_point_dense": round(dense["blocks"] / filled.points, 3),
        "rollup_bytes_per_point": round(rollups / came.points, 3),
        "rollup_bytes_per_bucket": {
            table: round(readable[table] / readable[f"{table}_buckets"], 2) for table in STEPS_S
        },
        "values_in_a_bucket": {
            "counter": len(Buckets.__dataclass_fields__) - 2,
            "gauge": len(Buckets.__dataclass_fields__) - 4,
        },
        "projected_90_days": {
            "points": round(came.points * scale),
            "sql_gb": round(readable["blocks"] * scale / 1e9, 2),
            "dense_gb": round(dense["blocks"] * came.points / filled.points * scale / 1e9, 2),
            "rollups_gb": round(rollups * scale / 1e9, 2),
            "rollups_settled_gb": round(settled * scale / 1e9, 2),
            "hot_gb": round(hot_bytes / plan.hours * 2 / 1e9, 2),
            "total_sql_gb": round((readable["blocks"] + rollups) * scale / 1e9, 2),
            "total_sql_settled_gb": round((readable["blocks"] + settled) * scale / 1e9, 2),
            "total_dense_settled_gb": round(
                (dense["blocks"] * came.points / filled.points + settled) * scale / 1e9, 2
            ),
            "total_dense_gb": round(
                (dense["blocks"] * came.points / filled.points + rollups) * scale / 1e9, 2
            ),
        },
        "storage_status_90_days": {"sql": told[READABLE], "dense": told[DENSE]},
        "ingest": stage_figures(came),
        "compaction": stage_figures(went),
        "compaction_share_of_a_core_pct": round(
            100 * (went.cpu_s + went.server_cpu_s) / (plan.hours * 3600), 2
        ),
        "backfill_points_s": round(filled.points_per_s),
        "machine": machine(),
    }


def _through_projection(
    server: Server, folder: Path, plan: ReferencePlan, say: Say
) -> tuple[Stage, Stage, int]:
    with connect(server.dsn(READABLE)) as connection:
        add_devices(connection, plan.devices())
        say(f"{plan.hours} hours of frames into an event log, then projected")
        came = ingest(
            server,
            READABLE,
            folder / "reference.db",
            plan.devices(),
            first_hour=plan.first_hour,
            first_frame_hour=plan.first_hour,
            hours=plan.hours,
            seed=plan.seed,
        )
        connection.execute("VACUUM ANALYZE")
        hot_bytes = size_of(connection, HOT)
        say("compacted")
        went = compact(server, READABLE)
    if went.points != came.points:
        raise AssertionError(f"{came.points} points came in, {went.points} were compacted")
    return came, went, hot_bytes


def _disk(server: Server, database: str) -> dict[str, int]:
    found: dict[str, int] = {}
    with connect(server.dsn(database)) as connection:
        connection.execute("VACUUM ANALYZE")
        found["blocks"] = size_of(connection, BLOCKS)
        for table in STEPS_S:
            found[table] = size_of(connection, f"^{table}_")
            found[f"{table}_buckets"] = int(
                one(connection, f"SELECT coalesce(sum(buckets), 0)::int8 FROM mtd.{table}")  # noqa: S608
            )
    return found


def _settled(server: Server) -> int:
    """Return the bytes of rollups without the room of hourly rows that became rows of a day.

    After one day that room is as large as they were; the next days use it, so it doesn't grow with them.
    """
    with connect(server.dsn(READABLE)) as connection:
        for name in connection.execute(
            "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r' AND c.relname ~ '^rollup_(1m|5m)_'"
        ).fetchall():
            connection.execute(f"VACUUM FULL {name[0]}")
        return sum(size_of(connection, f"^{table}_") for table in STEPS_S)


def _told_by_status(server: Server, database: str) -> dict[str, float]:
    """Return what ``mtd storage status`` says that 90 days take, in gigabytes."""
    with ColdConnection(server.dsn(database), "bench") as connection:
        status = read_status(connection, time.time_ns() // 1000)
    found = project(status, Retention(), dense=database == DENSE)
    if found is None:
        return {}
    sizes = {name: round(size / 1e9, 3) for name, size in found.after_days.items()}
    return {**sizes, "all": round(found.after_days_bytes / 1e9, 2), "points_g": round(found.points / 1e9, 3)}
