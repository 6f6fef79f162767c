"""Rollups of what is stored equal those computed by hand, in rows of hours and of days, late data included."""

from __future__ import annotations

import math
import random

import pytest

from mtd.codec.rollups import decode
from mtd.model.layout import Layout
from mtd.storage.partitioned import DAY_US, HOUR_US
from tests.integration.compaction.kit import (
    HOUR,
    LAYOUT,
    NOW,
    RX1,
    Frame,
    S,
    ask,
    cold,
    compact,
    declare,
    expected,
    polls,
    put,
)
from tests.integration.compaction.naive import check_rollups

YESTERDAY = NOW - NOW % DAY_US - DAY_US


def rough(start_us: int, count: int, seed: int) -> list[Frame]:
    """Return polls of a router that reboots, loses values and is late."""
    chance = random.Random(seed)
    frames, one, two, us = [], chance.getrandbits(40), chance.getrandbits(62), start_us
    for n in range(count):
        us += chance.choice([S, S, S, S + 3000, S - 2000, 4 * S])
        one = one + chance.getrandbits(20) if chance.random() > 0.02 else chance.getrandbits(8)
        two += chance.getrandbits(8)
        frames.append(
            Frame(
                us,
                [one if chance.random() > 0.05 else None, two],
                [chance.choice([None, chance.random() * 100, 7.0]), float(chance.randrange(3))],
                seq=n,
            )
        )
    return frames


def test_rollups_of_a_router_in_trouble(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = rough(HOUR - 2 * HOUR_US + 10 * S, 4000, 1)
    put(postgres_dsn, frames)
    assert not compact(postgres_dsn).failed
    assert check_rollups(postgres_dsn) > 2000


def test_a_finished_day_gets_rows_of_a_day(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    hours = (0, 1, 2, 5, 23)
    frames = [
        frame for hour in hours for frame in polls(60, YESTERDAY + hour * HOUR_US, 60 * S, begin=hour * 10**6)
    ]
    put(postgres_dsn, frames)
    account = compact(postgres_dsn, now_us=YESTERDAY + DAY_US + HOUR_US)
    assert account.rounds[0].days_merged == 0
    assert ask(postgres_dsn, "SELECT count(*), max(buckets) FROM rollup_5m") == [(20, 12)]
    # A worker that starts later finds them.
    account = compact(postgres_dsn)
    assert account.rounds[0].days_merged == 8
    for table, buckets in (("rollup_1m", 1440), ("rollup_5m", 288)):
        assert ask(postgres_dsn, f"SELECT count(*), min(buckets), max(buckets) FROM {table}") == [
            (4, buckets, buckets)
        ]
    assert ask(postgres_dsn, "SELECT count(*), max(buckets) FROM rollup_10s") == [(20, 360)]
    check_rollups(postgres_dsn, 60_000)
    assert compact(postgres_dsn).rounds[0].days_merged == 0


def test_late_data_of_a_finished_day(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = [
        frame
        for hour in (3, 4, 6)
        for frame in polls(60, YESTERDAY + hour * HOUR_US, 60 * S, begin=hour * 10**6)
    ]
    put(postgres_dsn, frames)
    compact(postgres_dsn, times=2)
    assert ask(postgres_dsn, "SELECT count(*), max(buckets) FROM rollup_1m") == [(4, 240)]
    # Within the row, between hours, before the first and after the last.
    late = [
        frame
        for hour in (1, 4, 5, 9)
        for frame in polls(30, YESTERDAY + hour * HOUR_US + 30 * S, 60 * S, begin=hour * 10**6)
    ]
    put(postgres_dsn, late)
    account = compact(postgres_dsn, times=2)
    assert not account.failed
    assert cold(postgres_dsn) == expected(frames + late)
    check_rollups(postgres_dsn, 60_000)
    assert ask(postgres_dsn, "SELECT count(*), max(buckets) FROM rollup_1m") == [(4, 540)]


def test_rollups_are_the_same_in_whatever_order_hours_come(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = rough(HOUR - 3 * HOUR_US, 9000, 2)
    chance = random.Random(3)
    parts = [[frame for frame in frames if chance.random() < 0.5], []]
    parts[1] = [frame for frame in frames if frame not in parts[0]]
    for part in parts:
        put(postgres_dsn, part)
        compact(postgres_dsn)
    check_rollups(postgres_dsn)


@pytest.mark.parametrize("hour", [0, 1, 2])
def test_a_clock_that_was_set_back(postgres_dsn: str, hour: int) -> None:
    """What comes late belongs into the row of its day, though by the clock the day isn't over."""
    declare(postgres_dsn, LAYOUT)
    frames = [frame for n in range(3) for frame in polls(60, YESTERDAY + n * HOUR_US, begin=n * 10**6)]
    put(postgres_dsn, frames)
    compact(postgres_dsn)
    assert ask(postgres_dsn, "SELECT count(*), max(buckets) FROM rollup_1m") == [(4, 180)]
    late = polls(70, YESTERDAY + hour * HOUR_US, begin=hour * 10**6)[60:]
    put(postgres_dsn, late)
    assert not compact(postgres_dsn, now_us=YESTERDAY + 20 * HOUR_US).failed
    assert ask(postgres_dsn, "SELECT count(*), max(buckets) FROM rollup_1m") == [(4, 180)]
    check_rollups(postgres_dsn)
    account = compact(postgres_dsn, times=2)
    assert not account.trouble
    check_rollups(postgres_dsn)


def test_rows_that_overlap_are_put_together(postgres_dsn: str) -> None:
    """Of a day's row and that of an hour, written when the clock was wrong, the hour's is the newer one."""
    declare(postgres_dsn, LAYOUT)
    put(postgres_dsn, [frame for n in range(3) for frame in polls(60, YESTERDAY + n * HOUR_US)])
    compact(postgres_dsn, now_us=YESTERDAY + 4 * HOUR_US)
    ask(
        postgres_dsn,
        "CREATE TABLE hours AS SELECT * FROM rollup_1m WHERE start = from_us(%s)",
        YESTERDAY + HOUR_US,
    )
    compact(postgres_dsn)
    assert ask(postgres_dsn, "SELECT count(*), max(buckets) FROM rollup_1m") == [(4, 180)]
    ask(postgres_dsn, "INSERT INTO rollup_1m SELECT * FROM hours")
    account = compact(postgres_dsn)
    assert not account.trouble
    assert ask(postgres_dsn, "SELECT count(*), max(buckets) FROM rollup_1m") == [(4, 180)]
    check_rollups(postgres_dsn)


def test_once_an_hour(postgres_dsn: str) -> None:
    """What is polled once an hour has rates from hour to hour."""
    layout = Layout.of("t3", (RX1,))
    declare(postgres_dsn, layout)
    put(
        postgres_dsn,
        [Frame(HOUR - n * HOUR_US + 60 * S, [10**9 - n * 3_600_000], [], layout) for n in range(4)],
    )
    assert not compact(postgres_dsn).failed
    found = []
    for (packed,) in ask(postgres_dsn, "SELECT packed FROM rollup_5m ORDER BY start"):
        buckets = decode(bytes(packed))
        found += [(buckets.mean[n], buckets.increase[n]) for n in range(len(buckets)) if buckets.count[n]]
    assert math.isnan(found[0][0])
    assert found[0][1] == 0
    assert found[1:] == [(1000.0, 3_600_000)] * 3
    check_rollups(postgres_dsn, 3_600_000)


def test_a_day_that_was_left_weeks_ago(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    day_us = YESTERDAY - 20 * DAY_US
    put(postgres_dsn, [frame for n in range(2) for frame in polls(5, day_us + n * HOUR_US)])
    account = compact(postgres_dsn, now_us=day_us + 3 * HOUR_US)
    assert account.rounds[0].days_merged == 0
    assert compact(postgres_dsn).rounds[0].days_merged == 8
