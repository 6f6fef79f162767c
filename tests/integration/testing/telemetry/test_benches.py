"""The benches of the storage work on a small scale, and their figures make sense."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mtd.testing.postgres import server_folder
from mtd.testing.telemetry.data import DataPlan
from mtd.testing.telemetry.query_bench import measure_queries
from mtd.testing.telemetry.reference_bench import ReferencePlan, measure_reference, yesterday
from mtd.testing.telemetry.storage_bench import last_closed_hour

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def folder() -> Iterator[Path]:
    with server_folder() as place:
        yield place


def silent(_text: str) -> None:
    pass


def test_an_hour_of_a_third_of_the_reference_load(folder: Path) -> None:
    figures = measure_reference(folder, ReferencePlan(yesterday(1), hours=1, routers=1), silent)
    assert 463_000 < figures["points"] <= 130 * 3600
    assert figures["compaction"]["points"] == figures["points"]
    assert figures["bytes_per_point_dense"] < figures["bytes_per_point_sql"] < figures["bytes_per_point_hot"]
    assert figures["projected_90_days"]["points"] == pytest.approx(3.03e9, rel=0.01)
    assert figures["values_in_a_bucket"] == {"counter": 7, "gauge": 5}


def test_queries_find_the_same_in_each_way(folder: Path) -> None:
    plan = replace(
        DataPlan(last_closed_hour(), days=1, routers=1, interfaces=6),
        frame_hours=1,
        day_hours=1,
        day_interfaces=4,
    )
    # It fails if one way tells other counts, sums, extremes or rankings than another.
    figures = measure_queries(folder, plan, silent, 1, most=2)
    for name in ("1h_raw", "24h_raw", "24h_600", "90d_600", "top10"):
        assert figures[name]["query_range"]["p50_ms"] > 0
        assert figures[name]["narrow"]["p50_ms"] > 0
    assert figures["told"]["24h_raw"]["points"] > 80_000
    assert figures["told"]["24h_600"]["points"] <= 600
    for name in ("24h_600", "24h_600_rate", "90d_600", "90d_600_rate"):
        assert figures["told"][name]["count"] > 80_000
    assert figures["told"]["24h_600_of_390"]["count"] > 3_500
    assert figures["told"]["top10"]["entries"] == 6
