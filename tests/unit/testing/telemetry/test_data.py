"""What the benches of the storage compare is the same on both sides."""

from __future__ import annotations

import numpy as np
import pytest

from mtd.backfill.fleet import PORT_COUNTERS, plan_device
from mtd.backfill.history import DeviceHistory, DeviceHour
from mtd.model.events import frame_counters
from mtd.testing.telemetry import narrow
from mtd.testing.telemetry.cases import CASES, GAUGE, asks_of, narrow_sql, view_sql
from mtd.testing.telemetry.data import DataPlan, kind_of, reference_devices
from mtd.testing.telemetry.ingest import frames_of, of_json, to_json

PLAN = DataPlan(end_hour=480_001, days=3, routers=2, interfaces=10)
HOUR_US = 3_600_000_000


def test_a_has_six_series_and_b_eight_counters_of_each_interface() -> None:
    assert PLAN.a().points_per_poll == 6
    assert [plan.points_per_poll for plan in PLAN.b()] == [80, 80]
    assert sum(plan.points_per_poll for plan in reference_devices()) == 390


def test_the_series_of_a_are_a_sample_of_a_router() -> None:
    plan = PLAN.a()
    kinds = [kind_of(plan, series) for series in (*plan.counters(), *plan.gauge_series())]
    assert kinds == [
        "uplink, bytes",
        "customer, bytes",
        "customer, bytes",
        "customer, packets",
        "idle",
        "cpu.load_pct",
    ]


def test_a_plan_survives_json() -> None:
    for plan in (PLAN.a(), *PLAN.b()):
        assert of_json(to_json(plan)) == plan


def test_narrow_rows_are_all_values_in_the_order_of_time() -> None:
    plan = plan_device("r", 2)
    hours = list(DeviceHistory(plan, 480_000, 1).hours(1))
    other = list(DeviceHistory(plan_device("s", 2), 480_000, 1).hours(1))
    rows = narrow.rows_of([(1, hours[0]), (2, other[0])])
    assert len(rows) == hours[0].points + other[0].points
    assert (np.diff(rows["ts"].astype(np.int64)) >= 0).all()
    assert rows.dtype["fields"].str == ">i2"
    ours = rows[(rows["device"] == 1) & (rows["metric"] == 0)]
    assert np.array_equal(ours["value"].astype(np.int64), hours[0].counters[0])
    assert np.array_equal(ours["ts"].astype(np.int64) + 946_684_800_000_000, hours[0].us)


def test_frames_say_what_the_history_says() -> None:
    plan = plan_device("r", 3, metrics=PORT_COUNTERS[:5])
    hour = next(DeviceHistory(plan, 480_000, 1).hours(1))
    absent = np.zeros(hour.counters.shape, dtype=np.bool_)
    absent[4, 7] = True
    hour = DeviceHour(hour.hour, hour.us, np.where(absent, 0, hour.counters), absent, hour.gauges)
    frames = [envelope for _, envelope in frames_of(plan, hour, None)]
    assert [frame.collected_at_us for frame in frames] == hour.us.tolist()
    counters = frame_counters(frames[7].frame)
    assert counters[4] is None
    assert counters[:4] == hour.counters[:4, 7].tolist()
    assert frame_counters(frames[8].frame) == hour.counters[:, 8].tolist()
    assert np.array_equal(list(frames[9].frame.gauges), hour.gauges[:, 9], equal_nan=True)
    assert len(frames[0].frame.rates) == len(plan.rates())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_questions_stay_within_the_data(case) -> None:  # type: ignore[no-untyped-def]
    asks = asks_of(case, PLAN, PLAN.days)
    assert asks == asks_of(case, PLAN, PLAN.days)
    first = PLAN.day_first_hour if case.of_day else PLAN.first_hour
    last = PLAN.day_first_hour + PLAN.day_hours if case.of_day else PLAN.end_hour
    for ask in asks:
        assert first * HOUR_US <= ask.start_us < ask.end_us <= last * HOUR_US
        assert ask.pattern.count("*") == 0
        assert (ask.instance == "") == (case.metric == GAUGE)
    assert view_sql(case).count("%s") == 5
    assert narrow_sql(case).count("%s") == 4


def test_numbers_of_the_narrow_table_are_those_of_the_series() -> None:
    plan = reference_devices()[0]
    series = [*plan.counters(), *plan.gauge_series()]
    for case in CASES:
        if case.of_day:
            number = asks_of(case, PLAN, 3)[0].narrow[1]
            assert series[number].metric == case.metric
