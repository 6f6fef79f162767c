"""Who had an address and a port at a second."""

from __future__ import annotations

import ipaddress
from typing import Any

import numpy as np
import pytest

from mtd.codec.flows.block import encode_block
from mtd.codec.flows.columns import ADDRESS
from mtd.core.errors import NotFound, Refused
from mtd.queries.flows import search
from mtd.queries.flows.errors import FlowsDamaged
from mtd.queries.flows.records import SearchPage, SearchQuestion
from mtd.testing.contract import FakeClock
from tests.integration.projections.kit import OTHER_DEVICE, World, in_world, now_us, table
from tests.integration.queries.flow_kit import (
    DEVICE,
    HOUR,
    MINUTE,
    TENANT,
    add_device,
    add_tenant,
    flows_of,
    store,
)
from tests.integration.queries.test_flows_top import OTHER_TENANT, THEIR_DEVICE
from tests.unit.queries.flows.kit import Record

PUBLIC = "198.51.100.7"
SECOND = 1_000_000


def translated(private: str, port: int, start_ms: int, end_ms: int, octets: int = 1) -> Record:
    return {
        "src_address": private,
        "dst_address": "203.0.113.9",
        "src_port": 5000,
        "dst_port": 443,
        "protocol": 6,
        "post_nat_src_address": PUBLIC,
        "post_nat_src_port": port,
        "octets": octets,
        "packets": 1,
        "start_ms": start_ms,
        "end_ms": end_ms,
    }


async def find(
    queries: Any, time_us: int, tenant: str = TENANT, after: str = "", limit: int = 100, **more: Any
) -> SearchPage:
    if "address" in more:
        more["address"] = ipaddress.ip_address(more["address"])
    page = await queries.search(tenant, SearchQuestion(time_us, **more), after=after, limit=limit)
    assert isinstance(page, SearchPage)
    return page


def sources(page: SearchPage) -> list[object]:
    return [flow.values.get("src_address") for flow in page.flows]


def test_a_public_address_and_port_tell_who_it_was(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_device(world, "nat-1")
        await world.project(table(now_us(), {"*1": {"name": "ether1"}}))
        at = now_us() // MINUTE * MINUTE - 30 * MINUTE
        ms = at // 1000
        await store(
            world,
            at + 20 * MINUTE,  # told when it ended, much later
            [
                translated("10.0.0.1", 40_001, ms - 5000, ms + 5000),
                translated("10.0.0.2", 40_001, ms + 5001, ms + 9000),  # the port was given to the next
                translated("10.0.0.3", 40_002, ms - 5000, ms + 5000),
            ],
            due=False,
        )
        queries = flows_of(world)
        (flow,) = (await find(queries, at, address=PUBLIC, port=40_001)).flows
        assert (flow.device, flow.device_id, flow.exporter) == ("nat-1", DEVICE, "192.0.2.1")
        assert flow.received_us == at + 20 * MINUTE
        assert flow.values == {
            "src_address": "10.0.0.1",
            "dst_address": "203.0.113.9",
            "src_port": 5000,
            "dst_port": 443,
            "protocol": 6,
            "post_nat_src_address": PUBLIC,
            "post_nat_src_port": 40_001,
            "octets": 1,
            "packets": 1,
            "start_ms": ms - 5000,
            "end_ms": ms + 5000,
        }
        # The second in which one ended and the next began.
        both = await find(queries, at + 5 * SECOND, address=PUBLIC, port=40_001)
        assert sources(both) == ["10.0.0.2", "10.0.0.1"]
        assert sources(await find(queries, at + 7 * SECOND, address=PUBLIC, port=40_001)) == ["10.0.0.2"]
        assert sources(await find(queries, at + 10 * SECOND, address=PUBLIC, port=40_001)) == []
        wider = await find(queries, at + 10 * SECOND, address=PUBLIC, port=40_001, window_s=1)
        assert sources(wider) == ["10.0.0.2"]
        assert sources(await find(queries, at, address="10.0.0.3")) == ["10.0.0.3"]
        assert sources(await find(queries, at, port=443, protocol=6)) == ["10.0.0.3", "10.0.0.1"]
        assert sources(await find(queries, at, address=PUBLIC, port=443)) == []
        assert sources(await find(queries, at, address=PUBLIC, protocol=17)) == []

    in_world(postgres_dsn, body)


def test_records_tell_of_which_part_of_their_exporter_they_are(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_device(world, "core-1")
        at = now_us() // MINUTE * MINUTE - 10 * MINUTE
        for domain in (None, 0, 2**32 - 1):
            seq = await store(world, at + 30 * SECOND, [{"src_port": 443}])
            await world.ask("UPDATE flow_block SET domain = %s WHERE seq = %s", domain, seq)
        found = (await find(flows_of(world), at + 30 * SECOND, port=443)).flows
        assert [flow.values for flow in found] == [
            {"src_port": 443, "domain": 2**32 - 1},
            {"src_port": 443, "domain": 0},
            {"src_port": 443},
        ]

    in_world(postgres_dsn, body)


def test_what_an_exporter_doesnt_tell_isnt_there(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_device(world, "core-1")
        await world.project(table(now_us(), {"*1": {"name": "ether1"}}))
        at = now_us() // MINUTE * MINUTE - 10 * MINUTE
        await store(
            world,
            at + 30 * SECOND,
            [
                {
                    "dst_address": "10.0.0.9",
                    "in_interface": 1,
                    "out_interface": 9,
                    "sampling": 0,
                    "start_ms": 0,
                },
                {
                    "dst_address": "10.0.0.8",
                    "in_interface": 1,
                    "out_interface": 9,
                    "sampling": 5,
                    "start_ms": 0,
                },
            ],
            device=DEVICE,
        )
        queries = flows_of(world)
        (flow,) = (await find(queries, at + 5 * SECOND, address="10.0.0.9")).flows
        assert flow.values == {"dst_address": "10.0.0.9", "in_interface": 1, "out_interface": 9}
        assert (flow.in_interface_name, flow.out_interface_name) == ("ether1", "")
        # Who tells no time was there in the minute in which it came.
        assert not (await find(queries, at - SECOND, address="10.0.0.9")).flows
        assert (await find(queries, at + 59 * SECOND, address="10.0.0.8")).flows[0].values["sampling"] == 5
        assert not (await find(queries, at + 60 * SECOND, address="10.0.0.8")).flows

    in_world(postgres_dsn, body)


def test_pages_hold_each_record_once(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(world: World) -> None:
        at = now_us() // MINUTE * MINUTE - 10 * MINUTE
        ms = at // 1000
        stored = []
        for batch in range(5):
            # Two of them came at the same time.
            records = [translated(f"10.{batch}.0.{n}", 40_000, ms, ms + 1, batch * 10 + n) for n in range(9)]
            await store(world, at + min(batch, 3) * SECOND, records, device=(DEVICE, OTHER_DEVICE)[batch % 2])
            stored += records
        queries = flows_of(world)
        for limit, most in ((1, 10**6), (4, 10**6), (9, 10**6), (100, 10**6), (100, 1), (20, 10)):
            monkeypatch.setattr(search, "MOST_SEARCHED", most)
            seen: list[object] = []
            token, pages, truncated = "", 0, 0
            while True:
                page = await find(queries, at, after=token, limit=limit, address=PUBLIC)
                assert len(page.flows) <= limit
                seen += [flow.values["octets"] for flow in page.flows]
                pages, truncated, token = pages + 1, truncated + page.truncated, page.token
                if not token:
                    break
            assert seen == [record["octets"] for record in reversed(stored)], (limit, most)
            assert (truncated > 0) == (most < 10**6)
        for wrong in ("elsewhere", f"1/{'-' * 36}/1/1", f"1/{TENANT}/{10**19}/1"):
            with pytest.raises(Refused, match="page_token"):
                await find(queries, at, after=wrong, address=PUBLIC)

    in_world(postgres_dsn, body)


def test_a_tenant_finds_nothing_of_another(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await add_tenant(world, OTHER_TENANT)
        await add_device(world, "mine")
        await add_device(world, "theirs", THEIR_DEVICE, OTHER_TENANT)
        at = now_us() - 5 * MINUTE
        ms = at // 1000
        await store(world, at, [translated("10.0.0.1", 1, ms, ms)])
        theirs = [translated("10.0.0.2", 1, ms, ms)] * 3
        await store(world, at + SECOND, theirs, device=THEIR_DEVICE, tenant=OTHER_TENANT)
        queries = flows_of(world)
        assert sources(await find(queries, at, address=PUBLIC)) == ["10.0.0.1"]
        first = await find(queries, at, OTHER_TENANT, address=PUBLIC, limit=1)
        assert sources(first) == ["10.0.0.2"]
        # Where another's page goes on tells nothing either.
        assert sources(await find(queries, at, after=first.token, address=PUBLIC)) == ["10.0.0.1"]
        with pytest.raises(NotFound):
            await find(queries, at, address=PUBLIC, devices=("theirs",))
        assert sources(await find(queries, at, address=PUBLIC, devices=("mine",))) == ["10.0.0.1"]

    in_world(postgres_dsn, body)


def test_the_window_ends_where_the_quota_of_a_tenant_does(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        midnight = now_us() // (24 * HOUR) * 24 * HOUR
        ms = midnight // 1000
        clock = FakeClock(wall_us=midnight + 2 * HOUR)
        await add_device(world, "nat-1")
        await store(
            world,
            midnight + 5 * MINUTE,
            [
                translated("10.0.0.1", 40_001, ms - 5000, ms - 1),  # of yesterday
                translated("10.0.0.2", 40_001, ms - 5000, ms),
                translated("10.0.0.3", 40_001, ms + 1000, ms + 5000),
            ],
            due=False,
        )
        asked = {"address": PUBLIC, "port": 40_001, "window_s": 60}
        shown = await find(flows_of(world, clock=clock, days=1), midnight + 10 * SECOND, **asked)
        assert sources(shown) == ["10.0.0.3", "10.0.0.2"]
        everything = await find(flows_of(world, clock=clock), midnight + 10 * SECOND, **asked)
        assert sources(everything) == ["10.0.0.3", "10.0.0.2", "10.0.0.1"]

    in_world(postgres_dsn, body)


def test_what_cant_be_looked_for_is_refused(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        queries = flows_of(world, days=1)
        with pytest.raises(Refused, match="at least one of both"):
            await find(queries, at)
        with pytest.raises(Refused, match="window_s"):
            await find(queries, at, port=1, window_s=3601)
        with pytest.raises(Refused, match="kept for 3 days"):
            await find(queries, at - 80 * HOUR, port=1)
        with pytest.raises(Refused, match="retention_days"):
            await find(queries, at - 25 * HOUR, port=1)
        with pytest.raises(Refused, match="more than 100"):
            await find(queries, at, port=1, devices=("x",) * 101)
        for block in (b"\1", encode_block({"src_port": np.zeros(1, ADDRESS)})):
            await store(world, at, [{"src_port": 1}], block=block)
            with pytest.raises(FlowsDamaged):
                await find(queries, at, port=1)
            await world.ask("DELETE FROM flow_block")

    in_world(postgres_dsn, body)
