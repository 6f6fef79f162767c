"""The largest over time: in each step all series together are everything."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mtd.core.errors import Refused
from mtd.model.flows import DIMENSIONS
from mtd.queries.flows.records import FlowSeries, Order, SeriesAnswer, SeriesQuestion
from tests.integration.projections.kit import World, in_world, now_us, table
from tests.integration.queries.flow_kit import (
    DEVICE,
    HOUR,
    MINUTE,
    TENANT,
    add_device,
    add_tenant,
    flows_of,
    ranked,
    store,
    store_sums,
    whole,
)
from tests.integration.queries.test_flows_top import (
    OTHER_TENANT,
    THEIR_DEVICE,
    hours_of_flows,
    some,
)
from tests.unit.queries.flows.kit import Record, summed


async def series(
    queries: Any, dimension: str, start_us: int, end_us: int, step_s: int, **more: Any
) -> SeriesAnswer:
    answer = await queries.series(
        TENANT, SeriesQuestion(DIMENSIONS[dimension], start_us, end_us, step_s, **more)
    )
    assert isinstance(answer, SeriesAnswer)
    return answer


def at_step(one: FlowSeries, place: int) -> tuple[int, int, int]:
    return one.octets[place], one.packets[place], one.flows[place]


def check(
    answer: SeriesAnswer, stored: dict[int, list[Record]], dimension: str, limit: int, by: int = 0
) -> None:
    """See that an answer is that of records by when they came."""
    step_us = answer.step_s * 1_000_000
    steps: dict[int, list[Record]] = {}
    for us, records in stored.items():
        steps.setdefault(us // step_us * step_us, []).extend(records)
    assert list(answer.times_us) == sorted(steps)
    best = ranked([record for records in steps.values() for record in records], dimension, limit, by)
    assert [one.key for one in answer.series] == [key for key, _ in best]
    for place, us in enumerate(answer.times_us):
        sums = summed(steps[us], DIMENSIONS[dimension])
        expected = {DIMENSIONS[dimension].text(key): one for key, one in sums.items()}
        for one in answer.series:
            assert at_step(one, place) == expected.get(one.key, (0, 0, 0))
        parts = [at_step(one, place) for one in (*answer.series, answer.others)]
        assert tuple(map(sum, zip(*parts, strict=True))) == whole(steps[us])


@pytest.mark.parametrize("seed", range(2))
def test_steps_are_what_came_in_them(postgres_dsn: str, seed: int) -> None:
    async def body(world: World) -> None:
        first_us = (now_us() // HOUR - 5) * HOUR
        stored: dict[int, list[Record]] = {}
        for (_, us), records in (await hours_of_flows(world, first_us, random.Random(seed))).items():
            stored.setdefault(us, []).extend(records)
        queries = flows_of(world)
        for dimension in ("src_address", "conversation", "total", "protocol"):
            found = await series(queries, dimension, first_us, first_us + 4 * HOUR, 3600, limit=3)
            check(found, stored, dimension, 3)
        found = await series(
            queries, "dst_address", first_us, first_us + 4 * HOUR, 7200, limit=2, order=Order.PACKETS
        )
        check(found, stored, "dst_address", 2, 1)

    in_world(postgres_dsn, body)


@pytest.mark.parametrize("step_s", [60, 300, 5400])
def test_steps_within_hours_are_read_by_the_minute(postgres_dsn: str, step_s: int) -> None:
    async def body(world: World) -> None:
        dice, at = random.Random(step_s), now_us()
        first_us = (at - 4 * HOUR) // MINUTE * MINUTE
        stored: dict[int, list[Record]] = {}
        for minute in (0, 1, 59, 130, 239):
            us = first_us + minute * MINUTE
            stored[us] = some(dice)
            if minute in (59, 239):
                await store(world, us + 1, stored[us])
                await store_sums(world, 60, us, stored[us], wrong=True)
            else:
                await store_sums(world, 60, us, stored[us])
            await store_sums(world, 3600, us - us % HOUR - (minute + 1) * HOUR * 24, stored[us], wrong=True)
        # Whole hours within are summed up as well, and can't be told apart.
        await store_sums(world, 3600, first_us + HOUR, stored[first_us], wrong=True)
        found = await series(flows_of(world), "src_address", first_us, at, step_s, limit=20)
        check(found, stored, "src_address", 20)
        assert found.others.octets == [0] * len(found.times_us)

    in_world(postgres_dsn, body)


def test_a_day_is_a_step(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        day = 24 * HOUR
        today_us, dice = now_us() // day * day, random.Random(1)
        stored = {today_us - 20 * day + 5 * HOUR: some(dice), today_us - 15 * day: some(dice)}
        for us, records in stored.items():
            await store_sums(world, 3600, us, records)
        found = await series(flows_of(world), "protocol", today_us - 20 * day, today_us, 86_400)
        check(found, stored, "protocol", 5)
        with pytest.raises(Refused, match="whole hours"):
            await series(flows_of(world), "protocol", today_us - 20 * day, today_us, 1800)

    in_world(postgres_dsn, body)


def test_series_of_interfaces_have_names(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_device(world, "core-1")
        at = now_us()
        await world.project(table(at, {"*1": {"name": "ether1"}}))
        await store(world, at, [{"in_interface": 1, "octets": 9}, {"in_interface": 7, "octets": 5}])
        found = await series(flows_of(world), "in_interface", at - HOUR, at + 1, 60)
        assert [(one.key, one.label, one.octets) for one in found.series] == [
            ("1", "ether1", [9]),
            ("7", "", [5]),
        ]

    in_world(postgres_dsn, body)


def test_a_tenant_sees_nothing_of_another(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_tenant(world, OTHER_TENANT)
        at, dice = now_us(), random.Random(2)
        mine, theirs = some(dice), some(dice)
        for device, tenant, records in ((DEVICE, TENANT, mine), (THEIR_DEVICE, OTHER_TENANT, theirs)):
            await store(world, at, records, device=device, tenant=tenant)
            await store_sums(world, 60, at - 9 * MINUTE, records, device=device, tenant=tenant)
        stored = {at // MINUTE * MINUTE: mine, (at - 9 * MINUTE) // MINUTE * MINUTE: mine}
        check(await series(flows_of(world), "src_address", at - HOUR, at + 1, 60), stored, "src_address", 5)

    in_world(postgres_dsn, body)


def test_steps_that_cant_be_are_refused(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at, queries = now_us(), flows_of(world)
        for step_s in (0, 30, 90, 90_000):
            with pytest.raises(Refused, match="step_s"):
                await series(queries, "protocol", at - HOUR, at, step_s)
        with pytest.raises(Refused, match="more than 2500"):
            await series(queries, "protocol", at - 51 * HOUR, at, 60)
        for limit in (0, 21):
            with pytest.raises(Refused, match="from 1 to 20"):
                await series(queries, "protocol", at - HOUR, at, 60, limit=limit)
        nothing = await series(queries, "protocol", at - HOUR, at, 60)
        assert (nothing.times_us, nothing.series, nothing.others.octets) == ([], [], [])

    in_world(postgres_dsn, body)
