from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg2
import pytest

from mtd.core.errors import Refused
from mtd.storage.config import PartitionsConfig
from mtd.storage.metrics import MAINTENANCE_FAILURES
from mtd.storage.partitions import EVENT, TELEMETRY_FRAME, Partitions, day_of
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
    dsn: str, body: Callable[[Partitions, FixedClock], Awaitable[None]], **settings: Any
) -> None:
    async def main() -> None:
        db, clock = Database(dsn), FixedClock()
        await db.start()
        try:
            await body(Partitions(db, PartitionsConfig.model_validate(settings), clock=clock), clock)
        finally:
            await db.stop()

    run_async(main(), timeout_s=60)


def test_made_ahead_by_day_and_by_month(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.maintain()

    with_partitions(postgres_dsn, body, ahead_days=2)
    # Yesterday as well: a poll just before midnight is projected just after it.
    assert partitions(postgres_dsn, "telemetry_frame") == [
        f"telemetry_frame_{day}" for day in ("20260228", "20260301", "20260302", "20260303")
    ]
    assert partitions(postgres_dsn, "event") == ["event_202602", "event_202603"]


def test_a_hundred_days_then_a_shorter_retention(postgres_dsn: str) -> None:
    async def fill(under_test: Partitions, clock: FixedClock) -> None:
        today = day_of(clock.now_us())
        await under_test.ensure(TELEMETRY_FRAME, [today - dt.timedelta(days=n) for n in range(100)])

    async def shorten(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.maintain()
        await under_test.ensure(TELEMETRY_FRAME, [day_of(under_test.oldest_us(TELEMETRY_FRAME))])

    with_partitions(postgres_dsn, fill)
    assert len(partitions(postgres_dsn, "telemetry_frame")) == 100
    with_partitions(postgres_dsn, shorten, telemetry_days=90, ahead_days=7)
    found = partitions(postgres_dsn, "telemetry_frame")
    assert len(found) == 90 + 7
    assert found[0] == "telemetry_frame_20251202"  # the 90th day back, today included


def test_months_are_kept_whole(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.ensure(EVENT, [dt.date(2025, 12, 31), dt.date(2026, 1, 1), dt.date(2026, 1, 31)])
        await under_test.maintain()

    with_partitions(postgres_dsn, body, events_months=3, ahead_days=1)
    assert partitions(postgres_dsn, "event") == ["event_202601", "event_202602", "event_202603"]


def test_the_same_day_asked_for_by_many_at_once(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        others = [Partitions(under_test._db, clock=clock) for _ in range(4)]
        await asyncio.gather(*(one.ensure(TELEMETRY_FRAME, [NOW.date()]) for one in (under_test, *others)))

    with_partitions(postgres_dsn, body)
    assert partitions(postgres_dsn, "telemetry_frame") == ["telemetry_frame_20260301"]


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

    with_partitions(postgres_dsn, body)


def test_a_reader_holds_up_a_drop_but_not_the_writers(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        await under_test.ensure(TELEMETRY_FRAME, [dt.date(2025, 1, 1), NOW.date()])
        reader = psycopg2.connect(postgres_dsn)
        try:
            with reader.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM mtd.telemetry_frame_20250101")
            dropping = asyncio.ensure_future(under_test.maintain())
            await asyncio.sleep(0.2)
            assert not dropping.done()
            inserted = await asyncio.to_thread(query, postgres_dsn, INSERT, NOW, NOW)
            assert inserted == [(1,)]
            reader.rollback()
            await dropping
        finally:
            reader.close()

    with_partitions(postgres_dsn, body)
    assert "telemetry_frame_20250101" not in partitions(postgres_dsn, "telemetry_frame")


INSERT = (
    "INSERT INTO mtd.telemetry_frame VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 1, %s, %s, 0,"
    " '{}', '{}', '{}') RETURNING 1"
)


def test_maintenance_that_fails_says_so_and_comes_again(postgres_dsn: str) -> None:
    async def body(under_test: Partitions, clock: FixedClock) -> None:
        before = MAINTENANCE_FAILURES._value.get()
        await under_test.start()
        assert under_test.failure == ""
        query(postgres_dsn, "ALTER TABLE mtd.telemetry_frame RENAME TO away")
        await until(lambda: bool(under_test.failure))
        assert MAINTENANCE_FAILURES._value.get() > before
        query(postgres_dsn, "ALTER TABLE mtd.away RENAME TO telemetry_frame")
        await until(lambda: not under_test.failure)
        await under_test.stop()

    with_partitions(postgres_dsn, body, interval_s=0.02)


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
