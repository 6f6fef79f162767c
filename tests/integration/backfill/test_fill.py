"""Generated history as it is stored: exactly what was generated, and nothing real touched."""

from __future__ import annotations

import time

import numpy as np
import pytest

from mtd.backfill.fill import Existing, Filled, Filling, fill
from mtd.backfill.fleet import PORT_COUNTERS, DevicePlan, plan_device
from mtd.backfill.history import DeviceHistory
from mtd.codec import rollups
from mtd.codec.blocks import decode_axis, decode_counters, decode_gauges
from mtd.core.errors import Conflict
from mtd.storage.cold.blocks import read_axes, read_blocks
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.rollups import read_rollups
from mtd.storage.cold.series import SeriesIds, SeriesKey
from mtd.storage.config import RetentionConfig
from mtd.storage.partitioned import DAY_US, HOUR_US

pytestmark = pytest.mark.postgres

TODAY = time.time_ns() // 1000 // DAY_US * 24
FIRST = TODAY - 48
HOURS = 26
PLAN = plan_device("filled", 3, metrics=PORT_COUNTERS[:5])


def filling(plan: DevicePlan = PLAN, **changes: object) -> Filling:
    values: dict[str, object] = {
        "devices": [plan],
        "first_hour": FIRST,
        "hours": HOURS,
        "seed": 3,
        "processes": 1,
    }
    return Filling(**{**values, **changes})  # type: ignore[arg-type]


def ids_of(connection: ColdConnection, plan: DevicePlan = PLAN) -> list[int]:
    keys = [
        SeriesKey(series.metric, series.instance, str(series.lane), "t0")
        for series in (*plan.counters(), *plan.gauge_series())
    ]
    found = SeriesIds().get_or_create(connection, plan.tenant_id, plan.device_id, keys)
    return [found[key] for key in keys]


def run(dsn: str, wanted: Filling) -> Filled:
    told: list[tuple[int, int]] = []
    filled = fill(dsn, wanted, lambda done, due: told.append((done, due)))
    assert told[-1][0] == filled.points
    assert filled.points <= told[-1][1]
    return filled


@pytest.mark.parametrize("dense", [False, True])
def test_what_is_stored_is_what_was_generated(postgres_dsn: str, dense: bool) -> None:
    filled = run(postgres_dsn, filling(dense=dense))
    hours = list(DeviceHistory(PLAN, FIRST, 3).hours(HOURS))
    assert filled.points == sum(hour.points for hour in hours)
    with ColdConnection(postgres_dsn) as connection:
        ids = ids_of(connection)
        until_us = (FIRST + HOURS) * HOUR_US
        axes = {
            row.hour_us: row.axis
            for row in read_axes(connection, PLAN.device_id, None, FIRST * HOUR_US, until_us)
        }
        blocks = {
            (row.series_id, row.hour_us): row.block
            for row in read_blocks(connection, ids, FIRST * HOUR_US, until_us)
        }
        assert sum(block.points for block in blocks.values()) == filled.points
    for hour in hours:
        start_us = hour.hour * HOUR_US
        ms = decode_axis(axes[start_us]) + start_us // 1000
        assert np.array_equal(ms, hour.us // 1000)
        for place, series_id in enumerate(ids[: len(hour.counters)]):
            values, absent = decode_counters(blocks[series_id, start_us], len(ms))
            assert np.array_equal(values, hour.counters[place])
            expected = None if hour.absent is None or not hour.absent[place].any() else hour.absent[place]
            assert (absent is None) == (expected is None)
        for place, series_id in enumerate(ids[len(hour.counters) :]):
            values = decode_gauges(blocks[series_id, start_us], len(ms))
            assert np.array_equal(values, hour.gauges[place], equal_nan=True)


def test_processes_write_the_same(postgres_dsn: str) -> None:
    other = plan_device("other", 2)
    filled = run(postgres_dsn, filling(devices=[PLAN, other], hours=3, processes=2))
    expected = [sum(hour.points for hour in DeviceHistory(plan, FIRST, 3).hours(3)) for plan in (PLAN, other)]
    with ColdConnection(postgres_dsn) as connection:
        stored = connection.fetch(
            "SELECT s.device_id::text, sum(b.points)::int8 FROM mtd.telemetry_block b JOIN mtd.series s USING (series_id)"
            " GROUP BY 1"
        )
    assert dict(stored) == dict(zip((PLAN.device_id, other.device_id), expected, strict=True))
    assert filled.points == sum(expected)


def test_rollups_are_those_of_the_whole_history(postgres_dsn: str) -> None:
    run(postgres_dsn, filling())
    hours = list(DeviceHistory(PLAN, FIRST, 3).hours(HOURS))
    ms = np.concatenate([hour.us // 1000 for hour in hours])
    values = np.concatenate([hour.counters[0] for hour in hours])
    there = np.concatenate(
        [np.ones(len(hour.us), np.bool_) if hour.absent is None else ~hour.absent[0] for hour in hours]
    )
    with ColdConnection(postgres_dsn) as connection:
        series = ids_of(connection)[0]
        for step, rows_due in ((10, HOURS), (60, 2), (300, 2)):
            rows = read_rollups(connection, step, [series], FIRST * HOUR_US, (FIRST + HOURS) * HOUR_US)
            assert len(rows) == rows_due
            found = rollups.concatenate([rollups.decode(row.packed) for row in rows])
            expected = rollups.counter_buckets(
                ms[there],
                values[there],
                step,
                FIRST * 3600,
                HOURS * 3600 // step,
                before=(),
                max_gap_ms=3000,
            )
            for column in ("count", "minimum", "maximum", "mean", "p95", "increase", "last"):
                assert np.array_equal(
                    getattr(found, column),
                    getattr(expected, column),
                    equal_nan=column in {"minimum", "maximum", "mean", "p95"},
                ), column


def test_hours_with_something_in_them_are_refused(postgres_dsn: str) -> None:
    run(postgres_dsn, filling(hours=2))
    with pytest.raises(Conflict, match="2 hours of filled hold telemetry already"):
        run(postgres_dsn, filling())
    other = plan_device("other", 2)
    assert run(postgres_dsn, filling(other, hours=2)).points > 0


def test_frames_count_as_something(postgres_dsn: str) -> None:
    with ColdConnection(postgres_dsn) as connection:
        add_frame(connection, FIRST + 1)
    with pytest.raises(Conflict, match="1 hours of filled"):
        run(postgres_dsn, filling())


def test_hours_are_kept(postgres_dsn: str) -> None:
    run(postgres_dsn, filling(seed=1, first_hour=FIRST + 3, hours=2))
    with ColdConnection(postgres_dsn) as connection:
        ids = ids_of(connection)
        before = connection.fetch(
            "SELECT series_id, hour, base, points FROM mtd.telemetry_block ORDER BY 1, 2"
        )
        filled = run(postgres_dsn, filling(existing=Existing.KEEP))
        assert filled.hours_kept == 2
        kept = connection.fetch(
            "SELECT series_id, hour, base, points FROM mtd.telemetry_block"
            " WHERE hour >= to_timestamp(%s) AND hour < to_timestamp(%s) ORDER BY 1, 2",
            [(FIRST + 3) * 3600, (FIRST + 5) * 3600],
        )
        assert kept == before
        hours = [row.hour_us for row in read_axes(connection, PLAN.device_id, None, 0, TODAY * 2 * HOUR_US)]
        assert len(hours) == len(set(hours)) == HOURS
        rows = read_rollups(connection, 60, ids[:1], FIRST * HOUR_US, (FIRST + HOURS) * HOUR_US)
        ends = [row.start_us + row.buckets * 60_000_000 for row in rows]
        assert all(end <= row.start_us for end, row in zip(ends, rows[1:], strict=False))


def test_hours_are_replaced(postgres_dsn: str) -> None:
    run(postgres_dsn, filling(seed=1))
    with ColdConnection(postgres_dsn) as connection:
        add_frame(connection, FIRST + 4)
        filled = run(postgres_dsn, filling(existing=Existing.REPLACE))
        assert filled.hours_kept == 0
        stored = connection.fetch("SELECT sum(points)::int8 FROM mtd.telemetry_block")
        assert stored == [(filled.points,)]
        assert connection.fetch("SELECT count(*) FROM mtd.telemetry_frame") == [(0,)]


def test_series_are_of_their_class(postgres_dsn: str) -> None:
    retention = RetentionConfig.model_validate(
        {"classes": {"short": {"metrics": ["system.*"], "raw_days": 3}}}
    )
    run(postgres_dsn, filling(hours=1, retention=retention))
    with ColdConnection(postgres_dsn) as connection:
        found = connection.fetch(
            "SELECT DISTINCT b.retention, s.metric LIKE 'system.%%' FROM mtd.telemetry_block b"
            " JOIN mtd.series s USING (series_id) ORDER BY 1"
        )
        assert found == [("short", True), ("standard", False)]
        assert connection.fetch("SELECT DISTINCT retention FROM mtd.rollup_10s ORDER BY 1") == [
            ("short",),
            ("standard",),
        ]


def test_sql_reads_it(postgres_dsn: str) -> None:
    run(postgres_dsn, filling(hours=2))
    hour = next(DeviceHistory(PLAN, FIRST, 3).hours(1))
    with ColdConnection(postgres_dsn) as connection:
        connection.execute(
            "INSERT INTO mtd.device (tenant_id, device_id, name, host, port, username, tls_mode)"
            " VALUES (%s, %s, 'filled', 'h', 1, 'u', 'off')",
            [PLAN.tenant_id, PLAN.device_id],
        )
        rows = connection.fetch(
            "SELECT value_int FROM mtd.telemetry_range('filled', %s, to_timestamp(%s), to_timestamp(%s))"
            " WHERE instance = '*1' ORDER BY ts",
            [PORT_COUNTERS[0], FIRST * 3600, (FIRST + 1) * 3600],
        )
    expected = hour.counters[0] if hour.absent is None else hour.counters[0][~hour.absent[0]]
    assert [value for (value,) in rows] == expected.tolist()


def add_frame(connection: ColdConnection, hour: int) -> None:
    """Store a frame of the device in an hour, in a partition of its own."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS mtd.telemetry_frame_rest PARTITION OF mtd.telemetry_frame DEFAULT"
    )
    connection.execute(
        "INSERT INTO mtd.telemetry_frame (tenant_id, device_id, log_id, seq, layout_id, ts_collected, ts_received,"
        " poll_duration_us, counters, gauges, rates)"
        " VALUES (%s, %s, gen_random_uuid(), 1, 1, to_timestamp(%s), now(), 1, '{1}', '{}', '{}')",
        [PLAN.tenant_id, PLAN.device_id, hour * 3600 + 5],
    )
