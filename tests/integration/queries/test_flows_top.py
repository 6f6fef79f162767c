"""Rankings of flows: each minute from one place, whatever is summed up already."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from mtd.codec.flows.block import encode_block
from mtd.core.errors import NotFound, Refused
from mtd.model.flows import DIMENSIONS
from mtd.queries.errors import TooManyQueries
from mtd.queries.flows import reading
from mtd.queries.flows.asking import FlowQueries
from mtd.queries.flows.errors import FlowsDamaged, TooManyFlows
from mtd.queries.flows.records import FlowFilter, Order, TopAnswer, TopQuestion
from mtd.storage.config import RetentionConfig
from tests.integration.projections.kit import OTHER_DEVICE, World, in_world, now_us, table
from tests.integration.queries.flow_kit import (
    DEVICE,
    HOUR,
    MINUTE,
    TENANT,
    add_device,
    add_tenant,
    flows_of,
    mark,
    ranked,
    store,
    store_sums,
    whole,
)
from tests.unit.queries.flows.kit import ADDRESSES, Record

OTHER_TENANT = "20000000-0000-4000-8000-000000000002"
THEIR_DEVICE = "20000000-0000-4000-8000-00000000000d"


def some(dice: random.Random, count: int = 6) -> list[Record]:
    """Return records of one template."""
    return [
        {
            "src_address": dice.choice(ADDRESSES),
            "dst_address": dice.choice(ADDRESSES),
            "src_port": dice.choice((80, 443, 5000)),
            "protocol": dice.choice((6, 17)),
            "in_interface": dice.choice((1, 2, 15728640)),
            "octets": dice.randrange(1, 10**9),
            "packets": dice.randrange(1, 10**6),
            "sampling": dice.choice((0, 1, 100)),
        }
        for _ in range(count)
    ]


def told(answer: TopAnswer) -> list[tuple[str, tuple[int, int, int]]]:
    return [(row.key, (row.amounts.octets, row.amounts.packets, row.amounts.flows)) for row in answer.rows]


def check(answer: TopAnswer, records: Sequence[Record], dimension: str, limit: int = 10, by: int = 0) -> None:
    """See that an answer is that of records."""
    expected = ranked(records, dimension, limit, by)
    assert told(answer) == expected
    total = whole(records)
    assert (answer.total.octets, answer.total.packets, answer.total.flows) == total
    rest = tuple(all_ - sum(one[place] for _, one in expected) for place, all_ in enumerate(total))
    assert (answer.others.octets, answer.others.packets, answer.others.flows) == rest


async def top(
    queries: FlowQueries, dimension: str, start_us: int, end_us: int, tenant: str = TENANT, **more: object
) -> TopAnswer:
    return await queries.top(tenant, TopQuestion(DIMENSIONS[dimension], start_us, end_us, **more))  # type: ignore[arg-type]


async def hours_of_flows(
    world: World, first_us: int, dice: random.Random
) -> dict[tuple[str, int], list[Record]]:
    """Store four hours of two devices, each minute in one of the states that it may be in; return their records.

    What is not to be read, because something else is, is wrong or missing.
    """
    found: dict[tuple[str, int], list[Record]] = {}
    for device in (DEVICE, OTHER_DEVICE):
        for hour in range(4):
            start_us = first_us + hour * HOUR
            minutes = sorted(dice.sample(range(60), 3))
            is_open = hour == 3 or dice.random() < 0.5
            late = set(dice.sample(minutes, dice.randrange(0, 2))) if is_open else set()
            for minute in minutes:
                us = start_us + minute * MINUTE
                found[device, us] = records = some(dice)
                if minute in late:
                    await store(world, us + 7_000_000, records[:3], device=device)
                    await store(world, us + 59_999_999, records[3:], device=device)
                # Of a closed hour the minutes aren't read, of a minute that is due the sums aren't.
                await store_sums(world, 60, us, records, device=device, wrong=not is_open or minute in late)
            every = [record for minute in minutes for record in found[device, start_us + minute * MINUTE]]
            await store_sums(world, 3600, start_us, every, device=device, wrong=is_open)
            if is_open and not late:
                await mark(world, 3600, start_us, device=device)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_each_minute_is_counted_once(postgres_dsn: str, seed: int) -> None:
    async def body(world: World) -> None:
        dice = random.Random(seed)
        first_us = (now_us() // HOUR - 5) * HOUR
        stored = await hours_of_flows(world, first_us, dice)
        queries = flows_of(world)
        await add_device(world, "core-1")
        await add_device(world, "edge-1", OTHER_DEVICE)
        for dimension in DIMENSIONS:
            check(await top(queries, dimension, first_us, first_us + 4 * HOUR), list(_in(stored)), dimension)
        for order, by in ((Order.PACKETS, 1), (Order.FLOWS, 2)):
            found = await top(
                queries, "src_address", first_us - HOUR, first_us + 5 * HOUR, order=order, limit=3
            )
            check(found, list(_in(stored)), "src_address", 3, by)
        mine = await top(queries, "conversation", first_us, first_us + 4 * HOUR, devices=("edge-1",))
        check(mine, list(_in(stored, OTHER_DEVICE)), "conversation")

    in_world(postgres_dsn, body)


def _in(stored: dict[tuple[str, int], list[Record]], device: str = "") -> list[Record]:
    return [record for (one, _), records in stored.items() if device in ("", one) for record in records]


def test_whole_hours_come_from_hours_and_edges_from_minutes(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        dice = random.Random(5)
        first_us = (now_us() // HOUR - 5) * HOUR
        before, inside, after, outside = (some(dice) for _ in range(4))
        await store_sums(world, 60, first_us + 58 * MINUTE, outside)
        await store_sums(world, 60, first_us + 59 * MINUTE, before)
        await store_sums(world, 60, first_us + HOUR, inside, wrong=True)
        await store_sums(world, 3600, first_us + HOUR, inside)
        await store_sums(world, 60, first_us + 3 * HOUR, after)
        # Hours of which only a part is meant.
        for hour in (0, 3):
            await store_sums(world, 3600, first_us + hour * HOUR, inside, wrong=True)
        found = await top(
            flows_of(world), "dst_address", first_us + 59 * MINUTE + 1, first_us + 3 * HOUR + 30_000_000
        )
        check(found, before + inside + after, "dst_address")
        assert (found.start_us, found.end_us) == (first_us + 59 * MINUTE, first_us + 3 * HOUR + MINUTE)

    in_world(postgres_dsn, body)


def test_where_minutes_are_gone_whole_hours_are_told(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        records = some(random.Random(6))
        old_us = (now_us() // HOUR - 20 * 24) * HOUR
        await store_sums(world, 3600, old_us, records)
        found = await top(flows_of(world), "protocol", old_us + 10 * MINUTE, old_us + 20 * MINUTE)
        check(found, records, "protocol")
        assert (found.start_us, found.end_us) == (old_us, old_us + HOUR)

    in_world(postgres_dsn, body)


def test_what_came_just_now_is_there(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at, records = now_us(), some(random.Random(7), 20)
        await store(world, at, records)
        found = await top(flows_of(world), "src_port", at - HOUR, at + 1)
        check(found, records, "src_port")
        without = [{"octets": 5, "packets": 1}]
        await store(world, at, without)
        found = await top(flows_of(world), "src_port", at - HOUR, at + 1)
        assert told(found) == ranked(records, "src_port")
        assert found.others.octets == 5, "who tells no port is among the others"
        assert (await top(flows_of(world), "total", at - HOUR, at + 1)).rows[0].amounts == found.total

    in_world(postgres_dsn, body)


def test_small_keys_are_among_the_others(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at, records = now_us() - 10 * MINUTE, some(random.Random(8), 40)
        await store_sums(world, 60, at, records, keep=2)
        found = await top(flows_of(world), "src_address", at - HOUR, at + MINUTE)
        expected = ranked(records, "src_address", 2)
        assert told(found) == expected
        assert found.total.octets == whole(records)[0]
        assert found.others.octets == whole(records)[0] - sum(one[0] for _, one in expected)

    in_world(postgres_dsn, body)


FILTERS = [
    ({"src_address": "10.0.0.0/24"}, lambda one: one["src_address"] in ADDRESSES[:2]),
    ({"address": "2001:db8::1/128"}, lambda one: "2001:db8::1" in (one["src_address"], one["dst_address"])),
    ({"port": 443}, lambda one: one["src_port"] == 443),
    ({"dst_port": 443}, lambda one: False),
    ({"protocol": 17, "in_interface": 2}, lambda one: (one["protocol"], one["in_interface"]) == (17, 2)),
]


@pytest.mark.parametrize(("given", "means"), FILTERS)
def test_with_a_filter_the_records_are_looked_through(
    postgres_dsn: str, given: dict[str, Any], means: Callable[[Record], bool]
) -> None:
    where = FlowFilter(
        **{
            name: ipaddress.ip_network(value) if isinstance(value, str) else value
            for name, value in given.items()
        }
    )

    async def body(world: World) -> None:
        dice, at = random.Random(9), now_us()
        records = some(dice, 60)
        await store(world, at - 5 * HOUR, records[:30], due=False)
        await store_sums(world, 60, at - 5 * HOUR, records[:30], wrong=True)
        await store(world, at, records[30:], device=OTHER_DEVICE)
        await store(world, at - 7 * HOUR, some(dice))
        start_us = at - 5 * HOUR - 30 * MINUTE
        found = await top(flows_of(world), "conversation", start_us, at + 1, where=where, limit=4)
        check(found, [record for record in records if means(record)], "conversation", 4)

    in_world(postgres_dsn, body)


def test_what_a_filter_may_look_through_is_bounded(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(world: World) -> None:
        at, where = now_us(), FlowFilter(protocol=6)
        queries = flows_of(world, retention=RetentionConfig(flows_days=1))
        with pytest.raises(Refused, match="at most six hours"):
            await top(queries, "protocol", at - 7 * HOUR, at, where=where)
        with pytest.raises(Refused, match="aren't kept for so long"):
            await top(queries, "protocol", at - 30 * HOUR, at - 29 * HOUR, where=where)
        queries = flows_of(world)
        await store(world, at, some(random.Random(1), 9))
        monkeypatch.setattr(reading, "MOST_RECORDS", 8)
        with pytest.raises(TooManyFlows, match="9 records came in that time") as refused:
            await top(queries, "protocol", at - MINUTE, at + 1, where=where)
        assert "fewer devices" in refused.value.hint
        with pytest.raises(TooManyFlows, match="aren't summed up yet"):
            await top(queries, "protocol", at - MINUTE, at + 1)
        await store_sums(world, 60, at - 5 * MINUTE, some(random.Random(1), 50))
        with pytest.raises(TooManyFlows, match="sums by conversation would have to be read, more than 3"):
            await top(flows_of(world, max_scanned_points=3), "conversation", at - HOUR, at)

    in_world(postgres_dsn, body)


def test_interfaces_of_one_device_have_names(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_device(world, "core-1")
        at = now_us()
        await world.project(table(at, {"*2": {"name": "ether2"}, "*F00000": {"name": "<pppoe-x>"}, "x": {}}))
        records = some(random.Random(3), 40)
        await store(world, at - MINUTE, records[:20])
        await store_sums(world, 60, at - 5 * MINUTE, records[20:])
        queries = flows_of(world)
        found = await top(queries, "in_interface", at - HOUR, at)
        assert {row.key: row.label for row in found.rows} == {"1": "", "2": "ether2", "15728640": "<pppoe-x>"}
        assert {row.label for row in (await top(queries, "protocol", at - HOUR, at)).rows} == {""}
        # As soon as there is another device, its numbers are added to these.
        await store_sums(world, 60, at - 9 * MINUTE, records[:9], device=OTHER_DEVICE)
        assert {row.label for row in (await top(queries, "in_interface", at - HOUR, at)).rows} == {""}
        alone = await top(queries, "in_interface", at - HOUR, at, devices=("core-1",))
        assert alone.rows == found.rows

    in_world(postgres_dsn, body)


def test_a_tenant_sees_nothing_of_another(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_tenant(world, OTHER_TENANT)
        await add_device(world, "core-1")
        await add_device(world, "theirs", THEIR_DEVICE, OTHER_TENANT)
        dice, at = random.Random(4), now_us()
        hour_us = (at // HOUR - 2) * HOUR
        mine, theirs = some(dice), some(dice)
        for device, tenant, records in ((DEVICE, TENANT, mine), (THEIR_DEVICE, OTHER_TENANT, theirs)):
            whose = {"device": device, "tenant": tenant}
            await store(world, at, records, **whose)
            await store_sums(world, 60, at - 3 * MINUTE, records, **whose)
            await mark(world, 3600, at - 3 * MINUTE, **whose)
            await store_sums(world, 3600, hour_us, records, **whose)
        # Due at the same time, of whoever: their marks don't keep my hour from being read.
        await mark(world, 3600, hour_us, device=THEIR_DEVICE, tenant=OTHER_TENANT)
        queries = flows_of(world)
        for where, times in ((FlowFilter(), 3), (FlowFilter(address=ipaddress.ip_network("0.0.0.0/0")), 1)):
            start_us = hour_us if times == 3 else at - 5 * MINUTE
            found = await top(queries, "src_address", start_us, at + 1, where=where)
            expected = [
                record
                for record in mine * times
                if not where.narrows or "." in record["src_address"] + record["dst_address"]
            ]
            check(found, expected, "src_address")
        with pytest.raises(NotFound):
            await top(queries, "src_address", at - HOUR, at, devices=("theirs",))
        with pytest.raises(NotFound):
            await top(queries, "src_address", at - HOUR, at, devices=(THEIR_DEVICE,))
        nobody = await top(
            queries, "src_address", hour_us, at + 1, tenant="30000000-0000-4000-8000-000000000003"
        )
        assert (nobody.rows, nobody.total.flows) == ([], 0)

    in_world(postgres_dsn, body)


def test_what_cant_be_asked_is_refused(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        queries = flows_of(world, days=2)
        for more, why in (
            ({"limit": 0}, "limit"),
            ({"limit": 1001}, "from 1 to 1000"),
            ({"devices": ("x",) * 101}, "more than 100"),
        ):
            with pytest.raises(Refused, match=why):
                await top(queries, "protocol", at - HOUR, at, **more)
        with pytest.raises(Refused, match="empty"):
            await top(queries, "protocol", at, at)
        with pytest.raises(Refused, match="retention_days"):
            await top(queries, "protocol", at - 80 * HOUR, at - 79 * HOUR)
        shown = await top(queries, "protocol", at - 80 * HOUR, at)
        assert shown.start_us == (at // (24 * HOUR) - 1) * 24 * HOUR
        queries = flows_of(world, max_concurrent=1, max_waiting=0)
        async with queries._limits.turn(TENANT):
            with pytest.raises(TooManyQueries):
                await top(queries, "protocol", at - HOUR, at)

    in_world(postgres_dsn, body)


def test_what_cant_be_read_is_told_with_its_place(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await store(world, at, some(random.Random(2)), block=b"\1nonsense")
        with pytest.raises(FlowsDamaged, match=f"of device {DEVICE} from .* UTC on can't be read"):
            await top(flows_of(world), "protocol", at - HOUR, at + 1)
        await world.ask("DELETE FROM flow_due")
        await store_sums(world, 60, at, some(random.Random(2)))
        await world.ask("UPDATE flow_sum_1m SET keys = keys || 'x'::bytea WHERE dimension = 'protocol'")
        with pytest.raises(FlowsDamaged, match="sums of flows by protocol"):
            await top(flows_of(world), "protocol", at - HOUR, at + 1)
        await world.ask("DELETE FROM flow_block")
        await store(world, at, [{"octets": 1 << 60}])
        with pytest.raises(FlowsDamaged, match="more than can be"):
            await top(flows_of(world), "src_port", at - HOUR, at + 1)
        await world.ask("DELETE FROM flow_block")
        await store(world, at, [{"octets": 1}], block=encode_block({"src_address": np.zeros(1, np.uint32)}))
        with pytest.raises(FlowsDamaged, match="numbers for addresses"):
            await top(flows_of(world), "src_address", at - HOUR, at + 1)

    in_world(postgres_dsn, body)
