"""The console's pages of flows before PostgreSQL: what they draw adds up to what is stored."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from mtd.api.console.flow_paths import service_text
from mtd.api.console.flows import FlowPages
from mtd.app.console_reads import ConsoleReads
from mtd.core.errors import NotFound, Refused
from mtd.model.principal import CallerKind, Principal, Role
from mtd.storage.config import RetentionConfig
from tests.integration.projections.kit import DEVICE, TENANT, World, in_world, now_us, table
from tests.integration.queries.flow_kit import HOUR, MINUTE, add_device, flows_of, store, store_sums, whole
from tests.unit.queries.flows.kit import ADDRESSES, Record, amounts_of

VIEWER = Principal(CallerKind.USER, "vi", TENANT, Role.VIEWER)
OTHER = Principal(CallerKind.USER, "wo", "20000000-0000-4000-8000-000000000002", Role.VIEWER)


def some(dice: random.Random, count: int = 40) -> list[Record]:
    return [
        {
            "src_address": dice.choice(ADDRESSES),
            "dst_address": dice.choice(ADDRESSES),
            "src_port": dice.choice((1024, 5000)),
            "dst_port": dice.choice((53, 443)),
            "protocol": dice.choice((1, 6, 17)),
            "in_interface": dice.choice((1, 2)),
            "out_interface": dice.choice((2, 10)),
            "octets": dice.randrange(1, 10**9),
            "packets": dice.randrange(1, 10**6),
            "sampling": dice.choice((0, 100)),
        }
        for _ in range(count)
    ]


def nodes_of(record: Record, kind: str) -> tuple[str, ...]:
    source, destination = record["src_address"], record["dst_address"]
    if kind == "conversation":
        return source, destination
    if kind == "service":
        return source, service_text(record["protocol"], record["dst_port"]), destination
    names = {1: "ether1", 2: "interface 2", 10: "ether10"}
    return names[record["in_interface"]], f"{source} → {destination}", names[record["out_interface"]]


class Asked:
    """The pages on the world's database."""

    def __init__(self, world: World) -> None:
        flows = flows_of(world)
        reads = ConsoleReads(world.doors, world.across, flows._ranges)
        self._pages = FlowPages(flows, reads, RetentionConfig()).pages

    async def read(self, page: str, caller: Principal = VIEWER, **given: str) -> Any:
        answer = await self._pages[page](caller, {name: [value] for name, value in given.items()})
        return json.loads(answer)


async def furnished(world: World, dice: random.Random) -> tuple[list[Record], int]:
    """Store two minutes, one of which is summed up; return their records, and until when they came."""
    await add_device(world, "core-1")
    await world.project(table(now_us(), {"*1": {"name": "ether1"}, "*A": {"name": "ether10"}}))
    end_us = now_us() // MINUTE * MINUTE
    first, second = some(dice), some(dice)
    await store(world, end_us - 5 * MINUTE, first, due=False)
    await store_sums(world, 60, end_us - 5 * MINUTE, first)
    await store(world, end_us - 2 * MINUTE, second)
    return [*first, *second], end_us


@pytest.mark.parametrize("kind", ["conversation", "service", "interfaces"])
def test_paths_are_exact_and_come_to_everything(postgres_dsn: str, kind: str) -> None:
    async def body(world: World) -> None:
        records, end_us = await furnished(world, random.Random(kind))
        asked = Asked(world)
        given = {"kind": kind, "device": DEVICE, "end_us": str(end_us), "limit": "10"}
        told = await asked.read("flows/paths", **given)
        expected: Counter[tuple[str, ...]] = Counter()
        for record in records:
            expected[nodes_of(record, kind)] += amounts_of(record)[0]
        found: Counter[tuple[str, ...]] = Counter()
        for path in told["paths"]:
            found[tuple(path["nodes"])] += int(path["octets"])
        assert len(told["paths"]) == 10
        # ICMP has no ports: what is one path to people may be several in the records, of which some are among the others.
        for nodes, octets in found.items():
            assert octets == expected[nodes] if "ICMP" not in nodes else octets <= expected[nodes]
        octets, packets, flows = whole(records)
        assert (int(told["total"]["octets"]), told["total"]["packets"], told["total"]["flows"]) == (
            octets, packets, flows,
        )  # fmt: skip
        assert sum(found.values()) + int(told["rest"]["octets"]) == octets
        with pytest.raises(NotFound):
            await asked.read("flows/paths", OTHER, **given)

    in_world(postgres_dsn, body)


def test_the_chart_and_the_table_are_of_the_same(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        records, end_us = await furnished(world, random.Random(5))
        asked = Asked(world)
        octets, packets, flows = whole(records)
        for limit in ("3", "200"):
            told = await asked.read("flows", dimension="src_address", end_us=str(end_us), limit=limit)
            values = [map(int, one["values"]) for one in told["series"]] + [map(int, told["others"])]
            by_step = [sum(step) for step in zip(*values, strict=True)]
            assert len(by_step) == len(told["times_us"]) == 2
            assert sum(by_step) == int(told["total"]["octets"]) == octets
            assert (told["total"]["packets"], told["total"]["flows"]) == (packets, flows)
            assert sum(int(row["octets"]) for row in told["rows"]) + int(told["rest"]["octets"]) == octets
            assert len(told["rows"]) == min(int(limit), len(ADDRESSES))
        assert (await asked.read("flows", OTHER, end_us=str(end_us)))["total"]["flows"] == 0

    in_world(postgres_dsn, body)


def test_what_is_older_than_minutes_are_kept_is_told_by_the_hour(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_device(world, "core-1")
        records = some(random.Random(6))
        hour_us = (now_us() - 30 * 24 * HOUR) // HOUR * HOUR
        await store_sums(world, 3600, hour_us, records)
        told = await Asked(world).read("flows", seconds="3600", end_us=str(hour_us + 2 * HOUR - 1))
        assert told["step_s"] == 3600
        assert told["times_us"] == [hour_us]
        assert int(told["total"]["octets"]) == whole(records)[0]

    in_world(postgres_dsn, body)


def test_who_had_an_address_is_found_with_what_it_became(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_device(world, "core-1")
        at_us = now_us() - 5 * MINUTE
        record = {
            "src_address": "10.0.0.1", "src_port": 5060, "dst_address": "192.0.2.77", "dst_port": 443, "protocol": 6,
            "post_nat_src_address": "192.0.2.77", "post_nat_src_port": 40_001, "octets": 7, "packets": 1,
            "start_ms": at_us // 1000 - 2000, "end_ms": at_us // 1000,
        }  # fmt: skip
        await store(world, at_us, [record])
        asked = Asked(world)
        given = {"address": "192.0.2.77", "port": "40001", "time_us": str(at_us - 1_000_000)}
        told = await asked.read("flows/records", **given)
        (found,) = told["records"]
        assert found["device"] == "core-1"
        assert found["values"]["post_nat_src_port"] == 40_001
        assert found["values"]["src_address"] == "10.0.0.1"
        assert (await asked.read("flows/records", **{**given, "port": "40002"}))["records"] == []
        assert (await asked.read("flows/records", **{**given, "protocol": "17"}))["records"] == []
        assert (await asked.read("flows/records", OTHER, **given))["records"] == []
        with pytest.raises(Refused, match="flows_days"):
            await asked.read("flows/records", **{**given, "time_us": "7000000"})

    in_world(postgres_dsn, body)
