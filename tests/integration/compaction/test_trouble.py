"""One bad row holds up nothing but itself, and is told of."""

from __future__ import annotations

import threading

from mtd.compaction.rounds import Rounds
from mtd.storage.config import StorageConfig
from mtd.storage.partitioned import DAY_US, HOUR_US
from tests.integration.compaction.kit import (
    DEVICE,
    HOUR,
    LAYOUT,
    NOW,
    OTHER,
    Account,
    Clock,
    ask,
    compact,
    declare,
    polls,
    put,
    settings,
)

YESTERDAY = HOUR - HOUR % DAY_US - DAY_US
DENSE = StorageConfig.model_validate({"blocks": {"dense_after_days": 1}})


def days(dsn: str, device: str) -> list[tuple[int]]:
    """Return the numbers of buckets that rows of a device have."""
    return ask(
        dsn,
        "SELECT DISTINCT buckets FROM rollup_5m JOIN series USING (series_id) WHERE device_id = %s ORDER BY 1",
        device,
    )


def test_a_rollup_that_cannot_be_read(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    for device in (DEVICE, OTHER):
        for hour in range(2):
            put(postgres_dsn, polls(5, YESTERDAY + hour * HOUR_US, device=device))
    assert not compact(postgres_dsn, now_us=YESTERDAY + 3 * HOUR_US).failed
    ask(
        postgres_dsn,
        "UPDATE rollup_5m SET packed = '\\x63' WHERE series_id ="
        " (SELECT min(series_id) FROM series WHERE device_id = %s)",
        DEVICE,
    )
    put(postgres_dsn, polls(50, HOUR))
    account = compact(postgres_dsn, times=2)
    assert not account.failed
    assert len(account.units) == 1
    assert [one.what for one in account.trouble] == ["rollups"]  # once, not in each round
    assert f"device {DEVICE}, 2026-03-01 can't be merged: " in account.trouble[0].reason
    assert days(postgres_dsn, DEVICE) == [(12,)]
    assert days(postgres_dsn, OTHER) == [(24,)]


def test_a_block_that_cannot_be_read(postgres_dsn: str) -> None:
    declare(postgres_dsn, LAYOUT)
    for device in (DEVICE, OTHER):
        put(postgres_dsn, polls(50, YESTERDAY - DAY_US, device=device))
    assert not compact(postgres_dsn).failed
    ask(
        postgres_dsn,
        "UPDATE telemetry_block SET form = 'd', value1 = NULL, value2 = NULL, value4 = NULL WHERE series_id ="
        " (SELECT min(series_id) FROM series WHERE device_id = %s)",
        DEVICE,
    )
    account = compact(postgres_dsn, times=2, config=DENSE)
    assert [one.what for one in account.trouble] == ["dense"]
    assert f"device {DEVICE}, t0 in telemetry_block_standard_20260228" in account.trouble[0].reason
    assert [done.recoded for done in account.rounds] == [4, 0]


def test_what_can_wait_ends_after_a_while(postgres_dsn: str) -> None:
    """Merging and recoding take part of a round; the rest is for the next ones."""

    class Ticking(Clock):
        def monotonic(self) -> float:
            self.ticks = getattr(self, "ticks", 0) + 1
            return self.ticks * 10.0

    declare(postgres_dsn, LAYOUT)
    devices = [f"{n:08d}-0000-0000-0000-000000000000" for n in range(1, 6)]
    for device in devices:
        for hour in range(2):
            put(postgres_dsn, polls(2, YESTERDAY + hour * HOUR_US, device=device))
    assert not compact(postgres_dsn, now_us=YESTERDAY + 3 * HOUR_US).failed
    account = Account()
    # All time counts as computing for the whole budget: nothing sleeps.
    config = settings(cpu_share=1.0)
    with Rounds(
        postgres_dsn, config, account.messages.append, threading.Event(), clock=Ticking(NOW)
    ) as rounds:
        for _ in range(6):
            rounds.run()
    assert [done.days_merged for done in account.rounds] == [8, 8, 8, 8, 8, 0]
    assert not account.trouble
