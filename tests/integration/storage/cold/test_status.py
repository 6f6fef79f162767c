from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtd.codec.blocks import encode_axis, encode_gauges
from mtd.storage.cold import blocks, rollups
from mtd.storage.cold import status as under
from mtd.storage.cold.blocks import AxisRow, BlockRow
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.cold.rollups import RollupRow
from mtd.storage.cold.status import StorageStatus, Stored, read_status
from mtd.storage.config import PartitionsConfig, RetentionConfig
from mtd.storage.outlook import next_actions, project
from mtd.storage.partitioned import DAY_US, ROLLUPS, TELEMETRY_AXIS, TELEMETRY_BLOCK, TELEMETRY_FRAME
from mtd.storage.retention import Retention
from tests.integration.storage.cold.kit import (
    DEVICE,
    HOUR,
    HOUR_US,
    TENANT,
    connected,
    declare,
    insert,
    prepare,
)

POLLS = 3600
KEPT = Retention(RetentionConfig(drop_between=[]), PartitionsConfig())


def fill(connection: ColdConnection, hours: int, series: int, *, retention: str = "standard") -> None:
    """Store hours of gauges that end with HOUR; those two days old are dense."""
    rng = np.random.default_rng(1)
    partitions = ColdPartitions(connection)
    starts = [HOUR - n * HOUR_US for n in range(hours)]
    partitions.ensure(TELEMETRY_AXIS, starts)
    partitions.ensure(TELEMETRY_BLOCK, starts, retention)
    values = [rng.integers(0, 100, POLLS).astype(np.float64) for _ in range(8)]
    made = {dense: [encode_gauges(one, dense=dense) for one in values] for dense in (False, True)}
    for start in starts:
        dense = start // DAY_US <= HOUR // DAY_US - 2
        blocks.write_blocks(
            connection,
            [
                BlockRow(TENANT, number, start, retention, made[dense][number % len(values)])
                for number in range(series)
            ],
        )
    axis = encode_axis(np.arange(POLLS) * 1000)
    blocks.replace_axes(connection, [AxisRow(TENANT, DEVICE, "t0", start, axis) for start in starts])
    for step, table in ROLLUPS.items():
        partitions.ensure(table, starts, retention)
        packed = bytes(40 * 3600 // step)
        rows = [
            RollupRow(TENANT, number, start, 3600 // step, retention, packed)
            for start in starts
            for number in range(series)
        ]
        rollups.write_rollups(connection, step, rows)


def kinds(status: StorageStatus) -> dict[tuple[str, str], Stored]:
    return {(one.kind, one.retention): one for one in status.stored if one.points}


def test_what_is_stored_is_counted(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        declare(connection, 1, [("a", ""), ("b", "")], [("c", "")])
        prepare(connection, HOUR + HOUR_US, HOUR + 2 * HOUR_US)
        for n in range(10):
            insert(connection, HOUR + HOUR_US + n, [1, 2], [3.0])
        fill(connection, 72, 9)
        fill(connection, 5, 1, retention="core")
        status = read_status(connection, HOUR + 3 * HOUR_US)
        found = kinds(status)
        assert (found["hot", ""].points, found["hot", ""].rows) == (30, 10)
        older = 72 - 24 - 13  # two midnights ago
        assert found["readable", "standard"].points == (72 - older) * 9 * POLLS
        assert found["dense", "standard"].points == older * 9 * POLLS
        assert found["readable", "standard"].day_points == 24 * 9 * POLLS
        assert found["readable", "core"].points == 5 * POLLS
        assert found["rollup_1m", "standard"].points == 72 * 9 * 60
        assert found["rollup_1m", "standard"].day_points == 24 * 9 * 60
        assert status.day_hours == 24
        usage = {(one.table, one.retention): one for one in status.usage}
        block = usage["telemetry_block", "standard"]
        assert block.partitions == 4
        assert block.total_bytes >= block.heap_bytes + block.toast_bytes + block.index_bytes > 0
        assert block.end_us - block.first_us == 4 * DAY_US
        both = found["readable", "standard"].bytes + found["dense", "standard"].bytes
        assert abs(both - block.total_bytes) <= 4
        assert (status.waiting.hours, status.waiting.oldest_us, status.waiting.emptied) == (
            1,
            HOUR + HOUR_US,
            1,
        )


def test_rows_of_a_day_count_by_the_part_that_is_recent(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        fill(connection, 24, 1)
        day = HOUR - HOUR % DAY_US
        for start, count in ((day - DAY_US, 1440), (day, 13 * 60)):
            rollups.delete_rollups(connection, 60, [0], start, start + DAY_US)
            ColdPartitions(connection).ensure(ROLLUPS[60], [start])
            rollups.write_rollups(connection, 60, [RollupRow(TENANT, 0, start, count, "standard", b"x")])
        found = kinds(read_status(connection, HOUR))["rollup_1m", "standard"]
        assert (found.points, found.day_points) == (1440 + 780, 1440)


def test_large_partitions_are_sampled(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with connected(postgres_dsn) as connection:
        fill(connection, 3, 700)
        exact = kinds(read_status(connection, HOUR))
        monkeypatch.setattr(under, "_SAMPLED_PAGES", 20)
        sampled = kinds(read_status(connection, HOUR))
        for key, one in exact.items():
            assert abs(sampled[key].points / one.points - 1) < 0.5
        assert any(sampled[key].points != one.points for key, one in exact.items())


def test_the_size_to_come_is_told_from_what_is_measured(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        fill(connection, 24, 20)
        status = read_status(connection, HOUR)
    found = project(status, KEPT)
    assert found is not None
    assert found.points_per_day == 24 * 20 * POLLS
    assert found.points == 90 * found.points_per_day
    blocks_bytes = sum(one.bytes for one in status.stored if one.kind == "readable") + status.axis_bytes
    assert abs(found.after_days["readable"] / (90 * blocks_bytes) - 1) < 0.01
    assert found.steady["readable"] == found.after_days["readable"]
    rollup = kinds(status)["rollup_1m", "standard"]
    assert abs(found.after_days["rollup_1m"] / (90 * rollup.bytes) - 1) < 0.01
    assert abs(found.steady["rollup_1m"] / (730 * rollup.bytes) - 1) < 0.01
    assert found.if_dense_bytes is None
    assert found.after_days_bytes == sum(found.after_days.values())


def test_a_pace_that_the_past_does_not_have_is_told(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        fill(connection, 24, 20)
        status = read_status(connection, HOUR)
    paces = {}
    for hours in (2, 10):
        hot = Stored("hot", "standard", points=20 * POLLS * hours, bytes=1)
        told = project(replace(status, stored=[*status.stored, hot]), KEPT)
        assert told is not None
        paces[hours] = told.outpaced
    assert paces == {2: False, 10: True}


def test_too_little_tells_nothing(postgres_dsn: str) -> None:
    with connected(postgres_dsn) as connection:
        fill(connection, 2, 2)
        assert project(read_status(connection, HOUR), KEPT) is None


def test_what_is_done_next(postgres_dsn: str) -> None:
    now = HOUR + 3 * HOUR_US
    with connected(postgres_dsn) as connection:
        prepare(connection, HOUR, *(HOUR + n * HOUR_US for n in range(8)))
        insert(connection, HOUR, [1], [])
        fill(connection, 24 * 3, 1)
        status = read_status(connection, now)
    short = Retention(RetentionConfig(raw_days=2, drop_between=[]), PartitionsConfig())
    actions = {action.what: action for action in next_actions(status, short, now, HOUR_US, str)}
    late = actions[f"compact a closed hour, the oldest of {HOUR}"]
    assert (late.overdue, late.at_us) == (True, 0)
    assert not actions["drop 2 emptied partitions of frames"].overdue
    assert not actions["drop telemetry_block_standard_20260226 and 1 more"].overdue
    long = Retention(RetentionConfig(raw_days=10, drop_between=["02:00", "05:00"]), PartitionsConfig())
    actions = {action.what: action for action in next_actions(status, long, now, 10 * HOUR_US, str)}
    (drop,) = (one for what, one in actions.items() if "telemetry_block_standard_20260226" in what)
    # The tenth day after it: 26 February is kept up to 7 March.
    assert drop.at_us == HOUR - HOUR % DAY_US + 7 * DAY_US
    assert "02:00 to 05:00" in drop.what
    assert actions[f"make {TELEMETRY_FRAME.partition(HOUR + 8 * HOUR_US)}"].at_us == now + HOUR_US
    assert actions["make partitions of telemetry_block: there is hardly any ahead"].overdue
