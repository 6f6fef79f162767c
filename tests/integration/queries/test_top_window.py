"""Rankings over a time, wherever the polls are."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mtd.model.layout import Layout, Series
from mtd.model.metric import Lane
from mtd.queries.errors import TooManyPoints
from mtd.queries.top import TopBy
from mtd.storage.cold.connection import ColdConnection
from tests.integration.projections.kit import World, declare, frame, in_world, now_us
from tests.integration.queries.history_kit import HOUR, RX, RX_BPS, SECOND, Past, compact
from tests.integration.queries.test_overview import LAYOUT, Clock, fleet, overview_of, poll

FAST = Layout.of("t0", (Series(RX, "*1", Lane.COUNTER), Series(RX_BPS, "*1", Lane.RATE)))
SLOW = Layout.of("t1", (Series(RX, "*2", Lane.COUNTER), Series(RX_BPS, "*2", Lane.RATE)))


class Still(Clock):
    """A time that stands: the test may take as long as it likes."""

    def __init__(self, us: int) -> None:
        super().__init__()
        self.us = us

    def now_us(self) -> int:
        return self.us


def one(device_id: str, at: int, layout: Layout, counter: int) -> Any:
    return frame(
        at,
        device=device_id,
        layout=layout,
        counters=[counter],
        gauges=[],
        rates=[1.0],  # how much doesn't matter, but that there was one
        low_confidence=(),
    )


@pytest.mark.parametrize("window_s", [10, 30, 60, 90, 130, 300, 600])
def test_a_short_time_has_a_ranking(postgres_dsn: str, window_s: int) -> None:
    async def body(world: World) -> None:
        core, _ = await fleet(world)
        await world.project(declare(FAST))
        end = now_us()
        await world.project(*(one(core, end - (700 - n) * SECOND, FAST, 1000 * n) for n in range(700)))
        (found,) = (await overview_of(world, Still(end)).top(TopBy.RX, 3, window_s)).value
        assert (found.value, found.most) == pytest.approx((8000.0, 8000.0), rel=1e-6)

    in_world(postgres_dsn, body)


@pytest.mark.parametrize("window_s", [300, 900, 1800, 1801, 3600])
def test_polls_that_come_every_five_minutes_have_one(postgres_dsn: str, window_s: int) -> None:
    async def body(world: World) -> None:
        core, _ = await fleet(world)
        await world.project(declare(SLOW))
        end = now_us()
        await world.project(
            *(one(core, end - 10 * SECOND - n * 300 * SECOND, SLOW, 10**9 - 300 * n) for n in range(14))
        )
        (found,) = (await overview_of(world, Still(end)).top(TopBy.RX, 3, window_s)).value
        assert found.value == pytest.approx(8.0)

    in_world(postgres_dsn, body)


def test_the_poll_groups_of_a_device_are_all_ranked(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, _ = await fleet(world)
        await world.project(declare(FAST), declare(SLOW))
        end = now_us()
        polls = []
        for n in range(900):
            polls.append(one(core, end - (900 - n) * SECOND, FAST, 1000 * n))
            if n % 10 == 5:
                polls.append(one(core, end - (900 - n) * SECOND + 300_000, SLOW, 10**6 * n))
        await world.project(*polls)
        for window_s in (60, 600, 1801):
            found = (await overview_of(world, Still(end)).top(TopBy.RX, 3, window_s)).value
            assert [(entry.instance, round(entry.value)) for entry in found] == [
                ("*2", 8_000_000),
                ("*1", 8000),
            ]

    in_world(postgres_dsn, body)


def test_an_hour_that_waits_behind_a_compacted_one_counts(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, _ = await fleet(world)
        await world.project(declare(FAST))
        end = now_us()
        first = end // HOUR * HOUR - 5 * HOUR
        polls, counter = [], 0
        for at in range(first + SECOND // 2, end, 5 * SECOND):
            counter += 5 * (1_000_000 if at < first + HOUR else 1000)
            polls.append(one(core, at, FAST, counter))
        await world.project(*polls)
        window_s = (end - first) // SECOND
        expected = counter * 8 / window_s
        past = Past(core, first)
        for hours in ([], [1, 3], [0, 2, 4]):
            if hours:
                await compact(world, past, hours, layouts=(FAST,))
            (found,) = (await overview_of(world, Still(end)).top(TopBy.RX, 3, window_s)).value
            # Of each hour whose neighbour is elsewhere some seconds are told by none.
            assert found.value == pytest.approx(expected, rel=0.01)
            assert found.most == pytest.approx(8_000_000, rel=1e-6)

    in_world(postgres_dsn, body)


def test_the_largest_errors_are_those_of_both_directions(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        core, _ = await fleet(world)
        end = now_us()
        polls = [
            poll(core, end - (600 - n) * SECOND, [math.nan] * 8, [0, 0, 2 * n, 3 * n, *[0] * 4])
            for n in range(0, 600, 5)
        ]
        await world.project(*polls)
        found = (await overview_of(world, Still(end)).top(TopBy.ERRORS, 1, 300)).value[0]
        assert (found.value, found.most) == pytest.approx((5.0, 5.0))

    in_world(postgres_dsn, body)


def test_what_would_be_too_much_is_refused_before_it_is_read(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(world: World) -> None:
        core, edge = await fleet(world)
        end = now_us()
        first = end // HOUR * HOUR - 2 * HOUR
        for device_id in (core, edge):
            await world.project(
                *(poll(device_id, at, [1.0] * 8, [at // SECOND] * 8) for at in range(first, end, 20 * SECOND))
            )
            await compact(world, Past(device_id, first), [0], layouts=(LAYOUT,))
        statements: list[str] = []
        fetch_raw = ColdConnection.fetch_raw
        monkeypatch.setattr(
            ColdConnection,
            "fetch_raw",
            lambda self, sql, params=None: statements.append(sql) or fetch_raw(self, sql, params),
        )
        small = overview_of(world, Still(end), max_scanned_points=100)
        with pytest.raises(TooManyPoints, match="shorter time, or fewer devices"):
            await small.top(TopBy.RX, 3, 3 * 3600)
        assert not statements
        # Two ports of one device over ten minutes: eleven steps, eleven polls and the one before.
        assert len((await small.top(TopBy.RX, 3, 600, ["core-1"])).value) == 2
        # What isn't stored doesn't count: 30 days of these ports would be 34,000 steps.
        wide = overview_of(world, Still(end), max_scanned_points=1000)
        checks: list[int] = []
        monkeypatch.setattr(ColdConnection, "check", lambda _: checks.append(1))
        assert len((await wide.top(TopBy.RX, 9, 30 * 86_400)).value) == 4
        assert len(checks) == 8, "who has left ends it between two series, of rollups and of polls"

    in_world(postgres_dsn, body)


def test_nearly_the_same_times_have_one_answer(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await fleet(world)
        overview = overview_of(world)
        for window_s in range(601, 611):
            await overview.top(TopBy.RX, 3, window_s)
        for window_s in range(86_401, 90_000, 600):
            await overview.top(TopBy.RX, 3, window_s)
        assert len(overview._cache) == 2

    in_world(postgres_dsn, body)
