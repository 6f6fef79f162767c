from __future__ import annotations

import asyncio
import datetime as dt
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg2
import pytest

from mtd.core.errors import Refused
from mtd.storage.config import PartitionsConfig, RetentionConfig
from mtd.storage.metrics import MAINTENANCE_FAILURES, PARTITIONS_OVERDUE
from mtd.storage.partitioned import HOUR_US, ROLLUP_1M, TELEMETRY_BLOCK, WATCHED, Known, to_us
from mtd.storage.partitions import EVENT, TELEMETRY_FRAME, Partitions
from mtd.storage.pool import Database
from mtd.testing import run_async

DAY_US = 86_400_000_000
NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


class FixedClock:
    def __init__(self) -> None:
        self.now = NOW

    def now_us(self) -> int:
        return int(self.now.timestamp()) * 1_000_000

    def monotonic(self) -> float:
        return self.now.timestamp()


def query(dsn: str, statement: str, *params: Any) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, params)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def partitions(dsn: str, table: str) -> list[str]:
    found = query(
        dsn,
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1",
        f"mtd.{table}",
    )
    return [name.removeprefix("mtd.") for (name,) in found]


def with_partitions(
    dsn: str,
    body: Callable[[Partitions, FixedClock], Awaitable[None]],
    retention: dict[str, Any] | None = None,
    **settings: Any,
) -> None:
    config = PartitionsConfig.model_validate({"ahead_hours": 1, "ahead_days": 1, **settings})
    kept = RetentionConfig.model_validate({"drop_between": [], **(retention or {})})

    async def main() -> None:
        db, clock = Database(dsn), FixedClock()
        await db.start()
        try:
            await body(Partitions(db, config, kept, clock=clock), clock)
        finally:
            await db.stop()

    run_async(main(), timeout_s=60)


def hours_ago(number: int) -> int:
    return to_us(NOW) - number * HOUR_US


def test_made_ahead_by_hour_day_and_month(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.maintain()

    with_partitions(postgres_dsn, body, ahead_hours=2, ahead_days=2)
    # The last hour as well: a poll just before its end is projected just after it.
    assert partitions(postgres_dsn, "telemetry_frame") == [
        f"telemetry_frame_20260301{hour}" for hour in (11, 12, 13, 14)
    ]
    assert partitions(postgres_dsn, "event") == ["event_202602", "event_202603"]
    assert partitions(postgres_dsn, "telemetry_axis") == ["telemetry_axis_202602", "telemetry_axis_202603"]
    assert partitions(postgres_dsn, "telemetry_block") == ["telemetry_block_standard"]
    assert partitions(postgres_dsn, "telemetry_block_standard") == [
        f"telemetry_block_standard_{day}" for day in ("20260228", "20260301", "20260302", "20260303")
    ]
    assert partitions(postgres_dsn, "rollup_10s_standard") == [
        "rollup_10s_standard_202602",
        "rollup_10s_standard_202603",
    ]


def test_two_days_of_hours_are_made_ahead(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.maintain()
        clock.now += dt.timedelta(hours=3)
        await under_test.maintain()

    with_partitions(postgres_dsn, body, ahead_hours=48)
    assert len(partitions(postgres_dsn, "telemetry_frame")) == 1 + 1 + 48 + 3


def test_a_hundred_days_then_a_shorter_retention(postgres_dsn: str) -> None:
    async def fill(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.ensure(TELEMETRY_BLOCK, [hours_ago(24 * n) for n in range(100)])

    async def shorten(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.maintain()
        await under_test.ensure(TELEMETRY_BLOCK, [under_test.oldest_us(TELEMETRY_BLOCK)])

    with_partitions(postgres_dsn, fill)
    assert len(partitions(postgres_dsn, "telemetry_block_standard")) == 100
    with_partitions(postgres_dsn, shorten, {"raw_days": 90}, ahead_days=7)
    found = partitions(postgres_dsn, "telemetry_block_standard")
    assert len(found) == 90 + 7
    assert found[0] == "telemetry_block_standard_20251202"  # the 90th day back, today included


def test_each_class_is_kept_for_its_own_time(postgres_dsn: str) -> None:
    classes = {"classes": {"core": {"metrics": ["iface.*"], "raw_days": 2, "rollup_1m_days": 40}}}

    async def fill(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.maintain()
        for retention in ("core", "standard"):
            await under_test.ensure(TELEMETRY_BLOCK, [hours_ago(24 * n) for n in range(10)], retention)
            await under_test.ensure(ROLLUP_1M, [hours_ago(24 * 31 * n) for n in range(4)], retention)

    async def maintain(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.maintain()

    with_partitions(postgres_dsn, fill, {"raw_days": 5, **classes})
    with_partitions(postgres_dsn, maintain, {"raw_days": 5, **classes}, ahead_days=1)
    assert partitions(postgres_dsn, "telemetry_block_core") == [
        f"telemetry_block_core_{day}" for day in ("20260228", "20260301", "20260302")
    ]
    assert len(partitions(postgres_dsn, "telemetry_block_standard")) == 5 + 1
    assert partitions(postgres_dsn, "rollup_1m_core") == [
        f"rollup_1m_core_{month}" for month in ("202601", "202602", "202603")
    ]
    assert len(partitions(postgres_dsn, "rollup_1m_standard")) == 5


def test_a_class_that_is_called_differently_keeps_what_it_had(postgres_dsn: str) -> None:
    long = {"metrics": ["iface.*"], "raw_days": 400}

    async def fill(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.maintain()
        await under_test.ensure(TELEMETRY_BLOCK, [hours_ago(24 * n) for n in (200, 300)], "core")

    async def maintain(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.maintain()
        assert "mtd.telemetry_block_core" in under_test.dropping_failure
        assert "[database.retention.classes.core]" in under_test.dropping_failure
        assert under_test.making_failure == ""

    async def without(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.maintain()
        assert under_test.failure == ""

    with_partitions(postgres_dsn, fill, {"classes": {"core": long}})
    before = partitions(postgres_dsn, "telemetry_block_core")
    with_partitions(postgres_dsn, maintain, {"classes": {"backbone": long}}, ahead_days=5)
    # Nothing was dropped, and nothing is made for it any more.
    assert partitions(postgres_dsn, "telemetry_block_core") == before
    with_partitions(postgres_dsn, without, {"classes": {"backbone": long, "core": {**long, "raw_days": 250}}})
    assert "telemetry_block_core_20250505" not in partitions(postgres_dsn, "telemetry_block_core")


def test_frames_are_kept_as_long_as_any_class(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        assert under_test.oldest_us(TELEMETRY_FRAME) == to_us(dt.datetime(2026, 2, 20, tzinfo=dt.UTC))

    with_partitions(
        postgres_dsn, body, {"raw_days": 5, "classes": {"long": {"tenants": ["x"], "raw_days": 10}}}
    )


def test_days_of_an_older_version_stay_until_they_are_past(postgres_dsn: str) -> None:
    """Their bounds are read, not their names."""
    for day, following in (("2025-01-01", "2025-01-02"), ("2026-03-01", "2026-03-02")):
        query(
            postgres_dsn,
            f"CREATE TABLE mtd.telemetry_frame_{day.replace('-', '')} PARTITION OF mtd.telemetry_frame"
            f" FOR VALUES FROM ('{day} 00:00+00') TO ('{following} 00:00+00')",
        )

    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.ensure(TELEMETRY_FRAME, [hours_ago(3), hours_ago(-2)])
        assert len(partitions(postgres_dsn, "telemetry_frame")) == 2
        clock.now = NOW.replace(hour=23)
        await under_test.maintain()

    with_partitions(postgres_dsn, body)
    assert partitions(postgres_dsn, "telemetry_frame") == [
        "telemetry_frame_20260301",
        "telemetry_frame_2026030200",
    ]


def test_dropped_at_night_or_when_long_overdue(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        local = NOW.astimezone().tzinfo
        clock.now = dt.datetime(2026, 3, 1, 12, tzinfo=local)
        await under_test.ensure(TELEMETRY_BLOCK, [hours_ago(24 * n) for n in range(20)])
        await under_test.maintain()
        kept = 10 + 2 + 1  # two days overdue wait for the night; one is ahead
        assert len(partitions(postgres_dsn, "telemetry_block_standard")) == kept
        assert PARTITIONS_OVERDUE._value.get() == 2
        clock.now = dt.datetime(2026, 3, 1, 2, 30, tzinfo=local)
        await under_test.maintain()
        assert len(partitions(postgres_dsn, "telemetry_block_standard")) == kept - 2
        assert PARTITIONS_OVERDUE._value.get() == 0

    with_partitions(postgres_dsn, body, {"raw_days": 10, "drop_between": ["02:00", "05:00"]})


def test_months_are_kept_whole(postgres_dsn: str) -> None:
    days = [(2025, 12, 31), (2026, 1, 1), (2026, 1, 31)]

    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.ensure(EVENT, [to_us(dt.datetime(*day, tzinfo=dt.UTC)) for day in days])
        await under_test.maintain()

    with_partitions(postgres_dsn, body, events_months=3, ahead_days=1)
    assert partitions(postgres_dsn, "event") == ["event_202601", "event_202602", "event_202603"]


def test_the_same_hour_asked_for_by_many_at_once(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        others = [Partitions(under_test._db, clock=clock) for _ in range(4)]
        await asyncio.gather(*(one.ensure(TELEMETRY_FRAME, [to_us(NOW)]) for one in (under_test, *others)))

    with_partitions(postgres_dsn, body)
    assert partitions(postgres_dsn, "telemetry_frame") == ["telemetry_frame_2026030112"]


def test_bounds(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        now = clock.now_us()
        under_test.check(TELEMETRY_FRAME, now)
        under_test.check(TELEMETRY_FRAME, now - 89 * DAY_US)
        under_test.check(TELEMETRY_FRAME, now + 7 * DAY_US)
        with pytest.raises(Refused, match="older than the retention"):
            under_test.check(TELEMETRY_FRAME, now - 90 * DAY_US)
        with pytest.raises(Refused, match="future"):
            under_test.check(TELEMETRY_FRAME, now + 8 * DAY_US)
        with pytest.raises(Refused):
            under_test.check(TELEMETRY_FRAME, 0)
        under_test.check(EVENT, now - 90 * DAY_US)
        under_test.check(EVENT, now - 600 * DAY_US)
        with pytest.raises(Refused, match="older than the retention"):
            under_test.check(EVENT, now - 800 * DAY_US)

    with_partitions(postgres_dsn, body, ahead_days=7)


def test_a_reader_holds_up_drops_but_nobody_who_writes(postgres_dsn: str) -> None:
    """Whether it only just began, so that the lock is tried once, or looks for long, so that it isn't."""
    slowest_s = 0.0

    async def body(under_test: Partitions, clock: FixedClock) -> None:
        nonlocal slowest_s
        old = to_us(dt.datetime(2025, 1, 1, tzinfo=dt.UTC))
        await under_test.ensure(TELEMETRY_FRAME, [to_us(NOW), *(old + n * HOUR_US for n in range(4))])
        reader = psycopg2.connect(postgres_dsn)
        try:
            with reader.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM mtd.telemetry_frame")
            for _ in range(2):
                dropping = asyncio.ensure_future(under_test.maintain())
                while not dropping.done():
                    began = time.monotonic()
                    assert await asyncio.to_thread(query, postgres_dsn, INSERT, NOW, NOW) == [(1,)]
                    slowest_s = max(slowest_s, time.monotonic() - began)
                await dropping
                assert PARTITIONS_OVERDUE._value.get() == 4
                await asyncio.sleep(1.1)  # the transaction grows old
        finally:
            reader.close()
        await under_test.maintain()
        assert PARTITIONS_OVERDUE._value.get() == 0

    with_partitions(postgres_dsn, body)
    assert slowest_s < 1, slowest_s
    assert not [one for one in partitions(postgres_dsn, "telemetry_frame") if "2025" in one]


def test_a_reader_of_another_role_counts_as_one_who_looks_for_long(postgres_dsn: str) -> None:
    """Since when it does is for members of pg_monitor to see."""
    role = f"blind_{uuid.uuid4().hex}"
    query(postgres_dsn, f"CREATE ROLE {role}; GRANT USAGE ON SCHEMA mtd TO {role}")
    reader = psycopg2.connect(postgres_dsn)
    watching = psycopg2.connect(postgres_dsn)
    watching.autocommit = True  # a transaction sees who is active as it was at first
    try:
        with reader.cursor() as cursor, watching.cursor() as blind:
            blind.execute(f"SET ROLE {role}; SELECT to_regclass('mtd.event') IS NOT NULL")
            blind.execute(WATCHED, ["mtd.event", "mtd.event_202001", 1.0])
            assert blind.fetchall() == []
            cursor.execute("SELECT count(*) FROM mtd.event")
            blind.execute(WATCHED, ["mtd.event", "mtd.event_202001", 1.0])
            assert blind.fetchall() == [()]
            blind.execute("RESET ROLE")
            blind.execute(WATCHED, ["mtd.event", "mtd.event_202001", 10.0])
            assert blind.fetchall() == []
    finally:
        reader.close()
        watching.close()
        query(postgres_dsn, f"DROP OWNED BY {role}; DROP ROLE {role}")


INSERT = (
    "INSERT INTO mtd.telemetry_frame VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 1, %s, %s, 0,"
    " '{}', '{}', '{}') RETURNING 1"
)


def test_maintenance_that_fails_says_so_and_comes_again(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        failures = MAINTENANCE_FAILURES.labels(work="making")
        before = failures._value.get()
        await under_test.start()
        assert under_test.failure == ""
        query(postgres_dsn, "ALTER TABLE mtd.telemetry_frame RENAME TO away")
        await until(lambda: bool(under_test.making_failure))
        assert failures._value.get() > before
        assert under_test.dropping_failure == ""
        query(postgres_dsn, "ALTER TABLE mtd.away RENAME TO telemetry_frame")
        await until(lambda: not under_test.failure)
        await under_test.stop()

    with_partitions(postgres_dsn, body, interval_s=0.02)


def test_what_can_not_be_dropped_says_so_and_the_rest_goes(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.ensure(EVENT, [hours_ago(24 * 31 * n) for n in (20, 21)])
        reader = psycopg2.connect(postgres_dsn)
        try:
            with reader.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(1.1), count(*) FROM mtd.event_202406")
            for _ in range(3):
                assert under_test.dropping_failure == ""  # not at the first reader
                await under_test.maintain()
            assert "event_202406 is past its retention" in under_test.dropping_failure
            assert under_test.failure == under_test.dropping_failure
            assert PARTITIONS_OVERDUE._value.get() == 1
        finally:
            reader.close()
        assert partitions(postgres_dsn, "event")[0] == "event_202406"
        await under_test.maintain()
        assert under_test.failure == ""

    with_partitions(postgres_dsn, body, events_months=3)
    assert partitions(postgres_dsn, "event") == ["event_202602", "event_202603"]


def test_what_postgresql_refuses_to_drop_is_told_at_once(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.ensure(EVENT, [hours_ago(24 * 31 * n) for n in (20, 21)])
        query(postgres_dsn, "CREATE VIEW mtd.mine AS SELECT * FROM mtd.event_202406")
        await under_test.maintain()
        assert "event_202406 is past its retention" in under_test.dropping_failure
        query(postgres_dsn, "DROP VIEW mtd.mine")

    with_partitions(postgres_dsn, body, events_months=3)
    assert partitions(postgres_dsn, "event") == ["event_202406", "event_202602", "event_202603"]


def test_partitions_made_while_others_are_dropped(postgres_dsn: str) -> None:
    """Projecting asks for partitions at any moment of a round."""

    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.ensure(EVENT, [hours_ago(24 * 31 * n) for n in (20, 21)])
        run = under_test._db.run

        async def meanwhile(name: str, *arguments: Any, **named: Any) -> Any:
            if name == "partitions.drop":
                under_test._known.setdefault("event_of_somebody", Known())
            return await run(name, *arguments, **named)

        under_test._db.run = meanwhile  # type: ignore[method-assign]
        await under_test.maintain()

    with_partitions(postgres_dsn, body, events_months=3)
    assert partitions(postgres_dsn, "event") == ["event_202602", "event_202603"]


def test_maintenance_survives_what_nobody_expected(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.start()
        with monkeypatch.context() as broken:
            broken.setattr(under_test, "maintain", lambda: os.environ["NOBODY THOUGHT OF IT"])
            await until(lambda: "NOBODY THOUGHT OF IT" in under_test.making_failure)
        await until(lambda: not under_test.failure)
        await under_test.stop()

    with_partitions(postgres_dsn, body, interval_s=0.02)
    assert "Traceback" in caplog.text


def test_the_regular_round_forgets_what_removed_devices_left(postgres_dsn: str) -> None:
    query(
        postgres_dsn,
        "INSERT INTO mtd.device_status (tenant_id, device_id) VALUES (gen_random_uuid(), gen_random_uuid())",
    )

    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.start()
        await until(lambda: query(postgres_dsn, "SELECT count(*) FROM mtd.device_status") == [(0,)])
        await under_test.stop()

    with_partitions(postgres_dsn, body, interval_s=0.02)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.02)
