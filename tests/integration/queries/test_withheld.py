"""Rates that no link carries, or that had no baseline, aren't told; not when their hour is cold either."""

from __future__ import annotations

import pytest

from mtd.queries.resolution import Resolution
from tests.integration.projections.kit import World, in_world
from tests.integration.queries.history_kit import HOUR, RX, Past, compact, past_of, store_polls
from tests.integration.queries.kit import ranges_of
from tests.integration.queries.test_history import RESOLUTIONS, ask, check_buckets, check_raw, whole

# About 720 polls an hour, fewer where there was an outage.
JUMPS, REBOOTS = (100, 700, 701, 1100), (200, 201, 800, 1200)


async def check_all(world: World, past: Past) -> None:
    ranges = ranges_of(world)
    check_raw(await ask(ranges, past, resolution=Resolution.RAW), past)
    for resolution in RESOLUTIONS:
        check_buckets(await whole(ranges, past, resolution=resolution), past)


@pytest.mark.parametrize("dense", [False, True])
def test_withheld_rates_stay_withheld_by_all_resolutions(postgres_dsn: str, dense: bool) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 3, jumps=JUMPS, withhold=REBOOTS)
        await check_all(world, past)
        for hour in (0, 2, 1):
            await compact(world, past, [hour], dense=dense)
            await check_all(world, past)
        assert (
            sum(
                len(places)
                for (places,) in await world.ask(
                    "SELECT withheld FROM telemetry_block WHERE withheld IS NOT NULL"
                )
            )
            >= len(past.withheld & {ms for ms, _ in past.counters()}) - 1
        )

    in_world(postgres_dsn, body, timeout_s=120)


def test_the_first_poll_of_an_hour_that_is_compacted_before_the_hour_before_it(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 2)
        edge = next(us for us, counter, _ in past.polls if us >= past.first_us + HOUR and counter is not None)
        past.withheld = {edge // 1000}
        await world.ask("DELETE FROM telemetry_frame")
        early = [poll for poll in past.polls if poll[0] < past.first_us + HOUR]
        await store_polls(world, past, [poll for poll in past.polls if poll[0] >= past.first_us + HOUR])
        await compact(world, past, [1])
        await store_polls(world, past, early)
        await check_all(world, past)
        await compact(world, past, [0])
        await check_all(world, past)

    in_world(postgres_dsn, body, timeout_s=120)


def test_late_polls_move_what_is_withheld_and_may_be_withheld_themselves(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        past = await past_of(world, 2, jumps=(100, 330), withhold=(200, 350, 420))
        late = past.polls[50:60] + past.polls[310:360]
        for part in (late[:10], late[10:]):
            await world.ask(
                "DELETE FROM telemetry_frame WHERE ts_collected >= from_us(%s) AND ts_collected <= from_us(%s)",
                part[0][0],
                part[-1][0],
            )
        await compact(world, past, [0, 1])
        await store_polls(world, past, late)
        await check_all(world, past)
        await compact(world, past, [0])
        await check_all(world, past)
        assert (await ask(ranges_of(world), past, resolution=Resolution.RAW))[RX].counters.tolist() == [
            counter for _, counter in past.counters()
        ]

    in_world(postgres_dsn, body, timeout_s=120)
