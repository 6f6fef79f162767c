"""PostgreSQL hangs for a while under load: tiers thin out and come back, no live value is lost, and it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from mtd.storage.config import EmbeddedConfig
from mtd.testing.end_to_end import wait_for_first_polls
from mtd.testing.harness import Stage
from mtd.testing.outage.database import OwnDatabase
from mtd.testing.outage.run import OutagePlan, measure_outage_of_live, metrics_of, running_outage
from tests.e2e.kit import folder, wait_for

ROUTERS, INTERFACES = 5, 30
AWAY_S = 8.0
# Some 50 kB a second wait while PostgreSQL hangs, and a second's always: the steps begin at 160 to 240 kB.
SETTINGS: dict[str, dict[str, Any]] = {
    "event_log": {"max_bytes": 4_000_000, "maintenance_interval_s": 0.5},
    "scheduler.intervals_s": {"t0": 0.25, "t1": 0.5, "t2": 1.0, "t3": 2.0},
    "pressure": {
        "log_fill": [0.04, 0.05, 0.06, 0.2],
        "look_s": 0.2,
        "rise_s": 0.2,
        "calm_s": 0.5,
    },
    "projections": {"settle_s": 0.7, "ahead_after_s": 1.0, "retry_cap_s": 1.0},
    "database": {"transaction_deadline_s": 3.0},
}
TOLD = ("pressure.raised", "pressure.eased", "log.filling", "log.relieved")
PLAN = OutagePlan(ROUTERS, INTERFACES, AWAY_S, hung=True, margin_s=1.0, settings=SETTINGS)


@contextmanager
def running() -> Iterator[tuple[Stage, OwnDatabase]]:
    quick = EmbeddedConfig.model_validate({"durable": False, "shared_buffers_mb": 64})
    with folder() as place, running_outage(place, PLAN, lambda _: None, quick) as (stage, database):
        wait_for_first_polls(stage, ROUTERS, lambda _: None)
        # The tables of the beginning have to be behind, or they are what waits.
        wait_for(lambda: _is_calm(stage), "what the start wrote is projected", 60)
        yield stage, database


def _is_calm(stage: Stage) -> bool:
    page = metrics_of(stage)
    return page["mtd_pressure_level"] == 0 and page["mtd_pressure_log_fill_ratio"] < 0.035


def test_a_hung_postgresql_costs_lower_tiers_and_no_live_value() -> None:
    with running() as (stage, database):
        figures = measure_outage_of_live(stage, database, PLAN, lambda _: None)
        assert figures["events_dropped"] == 0
        assert figures["history"]["polls"] > ROUTERS * AWAY_S
        assert figures["history"]["doubled"] == 0
        # All T0 polls that were made are there: what is missing was skipped, by a busy machine, and is counted.
        skipped = figures["polls_skipped"].get("t0", {})
        assert set(skipped) <= {"overrun"}, "live values never give way while there is room"
        first = {step["tier"]: step["at_s"] for step in reversed(figures["thinned"])}
        assert first["t3"] <= first["t2"] <= first["t1"]
        assert "t0" not in first
        assert figures["polls_skipped"]["t1"]["pressure"] > 0
        assert figures["fresh_after_s"] is not None

        wait_for(lambda: metrics_of(stage)["mtd_pressure_level"] == 0, "all tiers are polled as before", 30)
        wanted = {f"collector.{kind}" for kind in TOLD}
        wait_for(lambda: _told(database) >= wanted, f"{wanted} are told", 30)
        with psycopg.connect(database.dsn) as connection:
            doubled = connection.execute(
                "SELECT count(*) FROM (SELECT log_id, seq FROM mtd.telemetry_frame GROUP BY 1, 2 HAVING count(*) > 1) x"
            ).fetchone()
        assert doubled == (0,)


def _told(database: OwnDatabase) -> set[str]:
    with psycopg.connect(database.dsn) as connection:
        rows = connection.execute("SELECT DISTINCT event_type FROM mtd.event").fetchall()
    return {str(kind) for (kind,) in rows}
