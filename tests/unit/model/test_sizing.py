"""Sizing against figures computed by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mtd.model.sizing import (
    Cost,
    Costs,
    Load,
    Partitioning,
    Retention,
    disk_after,
    machine_for,
    parse_retention,
    wal_per_day,
)
from mtd.storage.partitioned import DAY_US, Period

ROUND = Costs(
    hot=Cost(20.0),
    sql=Cost(2.0),
    dense=Cost(1.0),
    rollup_10s=Cost(10.0),
    rollup_1m=Cost(10.0),
    rollup_5m=Cost(10.0),
    event=Cost(500.0),
    wal_hot=Cost(22.0),
    wal_cold=Cost(3.0),
)
REFERENCE = Load(routers=3, interfaces=30, t0_metrics=4, device_metrics=10, events_per_router_day=0)


def sizes(load: Load, retention: Retention, days: float) -> dict[str, float]:
    return {table.table: table.bytes for table in disk_after(load, retention, ROUND, days)}


def test_reference_load_of_the_requirements() -> None:
    # S000-7.4.1: 3 x (30 x 4 + 10) = 390 points/s = 33,696,000 a day, about 3.0 G in 90 days.
    assert REFERENCE.points_per_s == 390
    assert REFERENCE.points_per_day == 33_696_000
    assert REFERENCE.points_per_day * 90 == 3_032_640_000


def test_of_many_interfaces_those_that_are_not_live_send_a_tenth() -> None:
    load = replace(REFERENCE, t0_interfaces=10)
    assert load.series == REFERENCE.series == 390
    assert load.fast_series == 3 * (10 * 4 + 10)
    assert load.points_per_s == 150 + 3 * 20 * 4 / 10
    # Of what is polled each ten seconds a bucket of ten seconds holds one value.
    assert load.buckets_per_day(10) == REFERENCE.buckets_per_day(10)
    assert replace(load, interfaces=4, t0_interfaces=None) == replace(REFERENCE, interfaces=4)
    assert replace(load, interfaces=4).points_per_s == replace(REFERENCE, interfaces=4).points_per_s
    assert replace(load, interval_s=30.0).points_per_s == pytest.approx(390 / 30)


def test_starter_model_of_the_requirements() -> None:
    # S003-64.1: 20 metrics each 30 s.
    load = Load(routers=50, interfaces=0, t0_metrics=0, device_metrics=20, interval_s=30)
    assert load.points_per_s == pytest.approx(33.333, abs=0.001)


def test_disk_by_table() -> None:
    found = sizes(REFERENCE, Retention(), 90)
    assert found["telemetry_block"] == 33_696_000 * 90 * 2
    # 390 series, a bucket each 10 s: 8,640 a day.
    assert found["rollup_10s"] == 390 * 8640 * 90 * 10
    assert found["rollup_1m"] == 390 * 1440 * 90 * 10
    assert found["rollup_5m"] == 390 * 288 * 90 * 10
    # Two hours of frames.
    assert found["telemetry_frame"] == 390 * 7200 * 20


def test_retention_bounds_what_is_kept() -> None:
    year, two = (sizes(REFERENCE, Retention(), days) for days in (365, 730))
    assert year["telemetry_block"] == two["telemetry_block"] == 33_696_000 * 90 * 2
    assert year["rollup_10s"] == 390 * 8640 * 180 * 10
    assert year["rollup_1m"] == 390 * 1440 * 365 * 10
    assert two["rollup_1m"] == 390 * 1440 * 730 * 10


def test_old_blocks_are_dense() -> None:
    found = sizes(REFERENCE, Retention(dense_after=30), 365)
    assert found["telemetry_block"] == 33_696_000 * (30 * 2 + 60 * 1)


def test_slow_values_fill_no_more_buckets_than_polls() -> None:
    load = Load(routers=10, interfaces=0, t0_metrics=0, device_metrics=0, slow_metrics=6)
    assert load.points_per_s == 1
    assert load.buckets_per_day(10) == 60 * 1440
    assert load.buckets_per_day(300) == 60 * 288


def test_slow_intervals_fill_no_more_buckets_than_polls() -> None:
    load = Load(routers=1, interfaces=0, t0_metrics=0, device_metrics=20, interval_s=30)
    assert load.buckets_per_day(10) == 20 * 2880
    assert load.buckets_per_day(60) == 20 * 1440


def test_log_of_a_day() -> None:
    assert wal_per_day(REFERENCE, ROUND) == 33_696_000 * 25


def test_events() -> None:
    load = Load(routers=100, interfaces=1, events_per_router_day=20)
    assert sizes(load, Retention(events=365), 730)["event"] == 100 * 20 * 365 * 500


@pytest.mark.parametrize(
    ("routers", "name"),
    [(3, "10-50"), (50, "10-50"), (51, "50-300"), (300, "50-300"), (301, "300-2000+"), (5000, "300-2000+")],
)
def test_classes_of_the_requirements(routers: int, name: str) -> None:
    assert machine_for(Load(routers, 30)).routers == name


def test_cores_follow_the_points() -> None:
    # 1,000 x 130 points/s x (3.0 + 2.0 + 0.7) us, twice: nobody runs a machine at its limit.
    assert machine_for(Load(1000, 30)).cores == pytest.approx(130_000 * 5.7e-6 * 2)


def test_measured_figures_take_the_place_of_defaults() -> None:
    costs = Costs().with_measured({"sql": 1.7, "dense": None, "of_something_else": 3.0})
    assert costs.sql == Cost(1.7, measured=True)
    assert costs.dense == Costs().dense
    assert not costs.dense.measured


def test_partitions() -> None:
    tables = {table.table: table.partitions for table in disk_after(REFERENCE, Retention(), ROUND, 730)}
    assert tables["telemetry_frame"] == 50  # the hour before, this one, and 48 ahead
    assert tables["telemetry_block"] == 97  # 90 days and a week ahead
    assert tables["telemetry_axis"] == 5  # 97 days touch that many months at most
    assert tables["rollup_1m"] == 26  # 24 months, of the first a part, and the one that begins within a week
    assert tables["latest and state"] == 1


def test_partitions_of_each_class() -> None:
    made = Partitioning(ahead_hours=3, ahead_days=1, classes=3)
    tables = {table.table: table.partitions for table in disk_after(REFERENCE, Retention(), ROUND, 730, made)}
    assert tables["telemetry_frame"] == 5
    assert tables["telemetry_block"] == 3 * 91
    assert tables["rollup_10s"] == 3 * 7
    assert tables["event"] == 25


@pytest.mark.parametrize("days", [1, 7, 90, 180, 730])
def test_partitions_are_those_that_maintenance_makes(days: int) -> None:
    """As many as there are at most, over the days of three years."""
    made = Partitioning()
    most = 0
    for today in range(20_000, 21_100):
        kept = [(today - days + 1 + n) * DAY_US for n in range(days + made.ahead_days)]
        most = max(most, len({Period.MONTH.bounds(us) for us in kept}))
    assert most <= made.monthly(days) <= most + 1


def test_axes_are_counted_with_blocks() -> None:
    tables = {table.table: table for table in disk_after(REFERENCE, Retention(), ROUND, 90)}
    assert tables["telemetry_axis"].within == "telemetry_block"
    assert tables["telemetry_axis"].bytes == 0


def test_memory_holds_the_hour_at_what_points_cost() -> None:
    twice = ROUND.with_measured({"hot": 2 * ROUND.hot.value})
    more = machine_for(REFERENCE, twice).ram_bytes - machine_for(REFERENCE, ROUND).ram_bytes
    assert more == pytest.approx(390 * 3600 * ROUND.hot.value)


def test_retention_as_text() -> None:
    found = parse_retention("raw=30d, 10s=8w,1m=6mo,5m=2y,dense=7")
    assert (found.raw, found.rollup_10s, found.rollup_5m, found.dense_after) == (30, 56, 730, 7)
    assert found.rollup_1m == pytest.approx(182.5)
    assert parse_retention("") == Retention()


@pytest.mark.parametrize("text", ["raw", "raw=", "raw=x", "raw=5q", "cooked=5d", "raw=-3d", "raw=nan"])
def test_retention_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is"):
        parse_retention(text)
