"""Rates that the live rule withheld are remembered, and left out of rollups."""

from __future__ import annotations

import numpy as np
import pytest

from mtd.codec.rollups import Buckets, decode
from mtd.compaction.encoding import STEPS_S
from mtd.model.layout import Layout
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.rollups import read_rollups
from mtd.storage.config import StorageConfig
from mtd.storage.partitioned import HOUR_US
from tests.integration.compaction.kit import (
    CPU,
    HOUR,
    ONE_PORT,
    RX1,
    TENANT,
    Frame,
    S,
    ask,
    cold,
    compact,
    declare,
    expected,
    put,
)

NO_RATE = Layout.of("t0", (RX1, CPU))
WITHHELD = "SELECT withheld FROM telemetry_block b JOIN series USING (series_id) WHERE lane = 'counter' ORDER BY b.hour"
JUMP = 10**12


def catalogue(dsn: str) -> None:
    ask(
        dsn,
        "INSERT INTO metric (tenant_id, key, unit, kind, tier, scope, description, since, rate_of,"
        " rate_scale) VALUES (%s, 'iface.rx_bps', 'bits_per_second', 'rate', 't0', 'iface', '', '1', %s, 8)",
        TENANT,
        RX1.metric,
    )
    declare(dsn, ONE_PORT, NO_RATE)


def polls(
    untold: set[int], jumps: set[int], count: int = 100, start_us: int = HOUR, begin: int = 10**9
) -> list[Frame]:
    """Return polls of a counter that grows by 1000 and jumps at some, and is told no rate at some."""
    found = []
    for n in range(count):
        begin += JUMP if n in jumps else 1000
        rate = None if n in untold else 8000.0
        found.append(Frame(start_us + n * S, [begin], [1.0, None], ONE_PORT, seq=n, rates=[rate]))
    return found


def buckets(dsn: str, step: int) -> list[Buckets]:
    ((number,),) = ask(dsn, "SELECT series_id FROM series WHERE lane = 'counter'")
    with ColdConnection(dsn) as connection:
        return [decode(row.packed) for row in read_rollups(connection, step, [number], 0, 1 << 52)]


def check_rates(dsn: str, points: int, grown: int) -> None:
    """Fail unless all rollups tell nothing but a thousand a second, and all growth."""
    for step in STEPS_S:
        parts = buckets(dsn, step)
        assert sum(int(part.count.sum()) for part in parts) == points
        for column in ("minimum", "maximum", "mean", "p95"):
            values = np.concatenate([getattr(part, column) for part in parts])
            assert set(values[~np.isnan(values)].tolist()) == {1000.0}, (step, column)
        assert sum(int(part.increase.sum()) for part in parts if part.increase is not None) == grown


def test_where_all_rates_were_told_nothing_is_kept(postgres_dsn: str) -> None:
    catalogue(postgres_dsn)
    first = [Frame(HOUR - S, [10**9], [1.0, None], ONE_PORT)]
    frames = polls(set(), set())
    put(postgres_dsn, [*first, *frames])
    # Nor at falls, or behind a gap: the counter tells no rate there either.
    put(postgres_dsn, [Frame(HOUR + 200 * S, [7 * 10**9], [1.0, None], ONE_PORT, seq=200)])
    put(postgres_dsn, [Frame(HOUR + 201 * S, [5], [1.0, None], ONE_PORT, seq=201)])
    compact(postgres_dsn)
    assert ask(postgres_dsn, WITHHELD) == [([1],), (None,)]  # of the first poll of all none was told


@pytest.mark.parametrize("dense", [False, True])
def test_a_jump_that_no_link_carries_is_in_no_rollup(postgres_dsn: str, dense: bool) -> None:
    catalogue(postgres_dsn)
    frames = polls({0, 30, 31, 70}, {30, 70})
    long_ago = [Frame(one.us - 5 * 24 * HOUR_US, one.counters, one.gauges, one.layout, seq=one.seq, rates=one.rates)
                for one in frames]  # fmt: skip
    put(postgres_dsn, long_ago)
    compact(postgres_dsn)
    if dense:
        config = StorageConfig.model_validate({"blocks": {"dense_after_days": 3}})
        assert compact(postgres_dsn, config=config).rounds[0].recoded
        assert ask(postgres_dsn, "SELECT DISTINCT form::text FROM telemetry_block") == [("z",)]
    assert ask(postgres_dsn, WITHHELD) == [([1, 31, 32, 71],)]
    assert cold(postgres_dsn) == expected(long_ago)
    check_rates(postgres_dsn, 100, 97 * 1000 + 2 * JUMP)


def test_late_polls_come_between(postgres_dsn: str) -> None:
    catalogue(postgres_dsn)
    frames = polls({0, 30, 52, 70}, {30, 52, 70})
    late = frames[10:12] + frames[50:60]
    put(postgres_dsn, [one for one in frames if one not in late])
    compact(postgres_dsn)
    assert ask(postgres_dsn, WITHHELD) == [([1, 29, 59],)]
    put(postgres_dsn, late)
    compact(postgres_dsn)
    assert ask(postgres_dsn, WITHHELD) == [([1, 31, 53, 71],)]
    check_rates(postgres_dsn, 100, 96 * 1000 + 3 * JUMP)
    # Replays change nothing.
    put(postgres_dsn, frames[20:40])
    compact(postgres_dsn)
    assert ask(postgres_dsn, WITHHELD) == [([1, 31, 53, 71],)]


def test_the_first_poll_of_an_hour_and_what_comes_before_it_later(postgres_dsn: str) -> None:
    catalogue(postgres_dsn)
    before = polls({0}, set(), 60, HOUR - 60 * S)
    after = polls({0}, {0}, 60, HOUR, int(before[-1].counters[0] or 0))
    put(postgres_dsn, after)
    compact(postgres_dsn)
    put(postgres_dsn, before)
    compact(postgres_dsn)
    assert ask(postgres_dsn, WITHHELD) == [([1],), ([1],)]
    check_rates(postgres_dsn, 120, 118 * 1000 + JUMP)


def test_a_layout_without_a_rate_withholds_nothing(postgres_dsn: str) -> None:
    catalogue(postgres_dsn)
    frames = polls({0, 50}, set())
    for n in range(20, 40):
        frames[n] = Frame(frames[n].us, frames[n].counters, [1.0], NO_RATE, seq=n)
    put(postgres_dsn, frames)
    compact(postgres_dsn)
    assert ask(postgres_dsn, WITHHELD) == [([1, 51],)]
    assert int(buckets(postgres_dsn, 300)[0].count[0]) == 100
