"""Whatever routers and clocks do, each value is in the blocks once, bit by bit."""

from __future__ import annotations

import datetime as dt
import math
import struct

import pytest

from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.storage.partitioned import HOUR_US
from tests.integration.compaction.kit import (
    CPU,
    DEVICE,
    HOUR,
    LAYOUT,
    NOW,
    ONE_PORT,
    OTHER,
    Frame,
    S,
    ask,
    cold,
    compact,
    declare,
    expected,
    frame_partitions,
    polls,
    put,
    settings,
    stored,
)


def check(dsn: str, frames: list[Frame], *, now_us: int = NOW) -> None:
    put(dsn, frames)
    account = compact(dsn, now_us=now_us)
    assert not account.failed
    assert not account.trouble
    assert cold(dsn) == expected(frames)
    assert ask(dsn, "SELECT count(*) FROM telemetry_frame") == [(0,)]


def test_counters_of_64_bits(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    big = [2**53 - 1, 2**53, 2**53 + 1, 2**53 + 2, 2**62, 2**63 - 2, 2**63 - 1, 0, 2**63 - 1]
    check(postgres_dsn, [Frame(HOUR + n * S, [value, value], [0.0, 1.0]) for n, value in enumerate(big)])


def test_gauges_bit_by_bit(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    values = [-0.0, 0.0, 0.1, 0.30000000000000004, 5e-324, 1.7976931348623157e308, -1e-9, 2.0**60, 1 / 3]
    frames = [Frame(HOUR + n * S, [n, n], [value, -value]) for n, value in enumerate(values)]
    check(postgres_dsn, frames)
    found = [value for _, value in cold(postgres_dsn)[DEVICE, CPU.metric, "", "gauge"]]
    assert [struct.pack("d", value) for value in found] == [struct.pack("d", value) for value in values]


def test_what_is_no_number_is_absent(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    # The projection writes NULL for them; someone else might have written what they are.
    frames = [
        Frame(HOUR + n * S, [n, None], [value, 1.0]) for n, value in enumerate([1.5, None, math.nan, 2.5])
    ]
    check(postgres_dsn, frames)
    assert [value for _, value in cold(postgres_dsn)[DEVICE, CPU.metric, "", "gauge"]] == [1.5, 2.5]


def test_a_series_that_never_has_a_value_has_no_block(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    check(postgres_dsn, [Frame(HOUR + n * S, [n, None], [None, 1.0]) for n in range(30)])
    assert ask(postgres_dsn, "SELECT count(*) FROM telemetry_block") == [(2,)]


def test_a_poll_without_any_value_keeps_its_time(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    check(postgres_dsn, [Frame(HOUR + n * S, [None, None], [None, None]) for n in range(3)])
    assert ask(postgres_dsn, "SELECT polls, first_ms, step_ms FROM telemetry_axis") == [(3, 0, 1000)]


def test_layouts_that_change_within_the_hour(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT, ONE_PORT)
    frames = polls(100)
    for n in range(40, 60):
        frames[n] = Frame(frames[n].us, frames[n].counters[:1], frames[n].gauges, ONE_PORT, seq=n)
    check(postgres_dsn, frames)
    assert ask(postgres_dsn, "SELECT count(*), max(polls) FROM telemetry_axis") == [(1, 100)]
    assert len(cold(postgres_dsn)[DEVICE, "iface.rx_bytes_total", "*2", "counter"]) == 80


def test_the_same_series_in_another_order(postgres_dsn: str) -> None:
    turned = Layout.of("t0", tuple(reversed(LAYOUT.series)))
    declare(postgres_dsn, LAYOUT, turned)
    frames = polls(20)
    frames += [
        Frame(one.us + 20 * S, one.counters[::-1], one.gauges[::-1], turned, seq=100 + n)
        for n, one in enumerate(polls(20))
    ]
    check(postgres_dsn, frames)


def test_poll_groups_have_axes_of_their_own(postgres_dsn: str) -> None:
    slow = Layout.of("t2", (Series("system.memory.free_bytes", "", Lane.GAUGE), CPU))
    declare(postgres_dsn, LAYOUT, slow)
    frames = polls(120) + [
        Frame(HOUR + n * 60 * S + 500, [], [float(n), 0.5], slow, seq=n) for n in range(60)
    ]
    frames += polls(50, device=OTHER)
    put(postgres_dsn, frames)
    account = compact(postgres_dsn)
    assert sorted((unit.device_id, unit.poll_group) for unit in account.units) == [
        (DEVICE, "t0"),
        (DEVICE, "t2"),
        (OTHER, "t0"),
    ]
    found = cold(postgres_dsn)
    # The load is in both groups: two series, told apart by their group only.
    assert len(found.pop((DEVICE, CPU.metric, "", "gauge"))) == 120 + 60
    wanted = expected(frames)
    wanted.pop((DEVICE, CPU.metric, "", "gauge"))
    assert found == wanted


def test_a_clock_that_goes_back(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(60, jitter=1)
    # Five seconds back after half a minute: the same milliseconds again, with other values.
    for n in range(30, 60):
        frames[n].us -= 5 * S
    check(postgres_dsn, frames)
    assert ask(postgres_dsn, "SELECT polls FROM telemetry_axis") == [(60,)]


def test_many_polls_of_one_millisecond(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = [Frame(HOUR + n, [n % 3, 7], [1.0, 1.0], seq=n) for n in range(50)]
    check(postgres_dsn, frames)
    assert ask(postgres_dsn, "SELECT polls FROM telemetry_axis") == [(3,)]


@pytest.mark.parametrize(
    "day",
    [
        dt.datetime(2026, 3, 29, 0, tzinfo=dt.UTC),  # Berlin: there is no 2:00 to 3:00
        dt.datetime(2026, 10, 25, 0, tzinfo=dt.UTC),  # twice 2:00 to 3:00
        dt.datetime(2016, 12, 31, 22, tzinfo=dt.UTC),  # the last leap second, before midnight
    ],
)
def test_days_when_clocks_are_changed(postgres_dsn: str, day: dt.datetime) -> None:
    database = ask(postgres_dsn, "SELECT current_database()")[0][0]
    ask(postgres_dsn, f"ALTER DATABASE \"{database}\" SET timezone = 'Europe/Berlin'")
    declare(postgres_dsn, LAYOUT)
    start = int(day.timestamp()) * S
    frames = [
        frame for hour in range(4) for frame in polls(60, start + hour * HOUR_US, 60 * S, begin=hour * 10**6)
    ]
    # 23:59:60 is told as the second after or before once more.
    frames.append(Frame(start + 2 * HOUR_US - S, [10**9, 2**62], [0.5, 1.0], seq=1000))
    frames.append(Frame(start + 2 * HOUR_US - S, [10**9 + 5, 2**62], [0.5, 1.0], seq=1001))
    check(postgres_dsn, frames, now_us=start + 5 * HOUR_US)
    assert ask(postgres_dsn, "SELECT count(*), count(DISTINCT hour) FROM telemetry_axis") == [(4, 4)]
    assert len(frame_partitions(postgres_dsn)) == 0


def test_empty_hours_leave_nothing(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    put(postgres_dsn, polls(5))
    ask(postgres_dsn, "DELETE FROM telemetry_frame")
    account = compact(postgres_dsn)
    assert not account.units
    assert frame_partitions(postgres_dsn) == []
    assert ask(postgres_dsn, "SELECT count(*) FROM telemetry_axis") == [(0,)]


def test_an_hour_that_runs_is_left_alone(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(300, HOUR + HOUR_US - 150 * S)
    put(postgres_dsn, frames)
    early = compact(postgres_dsn, now_us=HOUR + HOUR_US + 299 * S)
    assert not early.units
    late = compact(postgres_dsn, now_us=HOUR + HOUR_US + 300 * S)
    assert [unit.hour_us for unit in late.units] == [HOUR]
    assert stored(postgres_dsn) == expected(frames)
    assert len(frame_partitions(postgres_dsn)) == 1


def test_frames_of_unknown_layouts_stay_and_are_told(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(20)
    put(postgres_dsn, frames + [Frame(HOUR + n * S + 5, [n], [1.0, 1.0], ONE_PORT, seq=n) for n in range(7)])
    account = compact(postgres_dsn)
    assert account.rounds[0].unknown_frames == 7
    assert account.rounds[0].unknown == [str(ONE_PORT.layout_id)]
    assert cold(postgres_dsn) == expected(frames)
    assert len(frame_partitions(postgres_dsn)) == 1
    # Declared later, as by a log that is projected again.
    declare(postgres_dsn, ONE_PORT)
    account = compact(postgres_dsn)
    assert account.rounds[0].unknown_frames == 0
    assert ask(postgres_dsn, "SELECT polls FROM telemetry_axis") == [(27,)]
    assert frame_partitions(postgres_dsn) == []


def test_frames_that_do_not_fit_their_layout_stay_and_are_told(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = polls(20)
    put(postgres_dsn, [*frames, Frame(HOUR + 50 * S, [1, 2], [1.0, 1.0], seq=77)])
    ask(postgres_dsn, "UPDATE telemetry_frame SET counters = '{1}' WHERE seq = 77")
    account = compact(postgres_dsn)
    assert [failed.what for failed in account.failed] == ["data"]
    assert "1 counters" in account.failed[0].reason
    assert ask(postgres_dsn, "SELECT count(*) FROM telemetry_frame") == [(21,)]
    assert account.rounds[0].waiting == 1


def test_days_of_an_older_version(postgres_dsn: str) -> None:
    day = HOUR - HOUR % (24 * HOUR_US) - 24 * HOUR_US
    begin, end = (dt.datetime.fromtimestamp(us / S, dt.UTC) for us in (day, day + 24 * HOUR_US))
    name = f"telemetry_frame_{begin:%Y%m%d}"
    ask(postgres_dsn, f"CREATE TABLE {name} (LIKE telemetry_frame INCLUDING ALL)")
    ask(
        postgres_dsn,
        f"ALTER TABLE telemetry_frame ATTACH PARTITION {name} FOR VALUES FROM ('{begin}') TO ('{end}')",
    )
    declare(postgres_dsn, LAYOUT)
    frames = [frame for hour in (0, 1, 23) for frame in polls(50, day + hour * HOUR_US, begin=hour)]
    check(postgres_dsn, frames)
    assert frame_partitions(postgres_dsn) == []
    assert ask(postgres_dsn, "SELECT count(*) FROM telemetry_axis") == [(3,)]


def test_oldest_first_and_up_to_a_time(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    frames = [frame for hour in range(5) for frame in polls(20, HOUR - hour * HOUR_US)]
    put(postgres_dsn, frames)
    account = compact(postgres_dsn, until_us=HOUR - HOUR_US, config=settings(close_after_s=1e6))
    assert [unit.hour_us for unit in account.units] == [HOUR - n * HOUR_US for n in (4, 3, 2)]
    assert stored(postgres_dsn) == expected(frames)
