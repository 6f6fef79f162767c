"""Stored events by their position."""

from __future__ import annotations

import asyncio
import uuid

from mtd.model.device import Severity
from mtd.queries.events import EventQueries
from mtd.storage.stores.events import EventRow, insert_events
from mtd.storage.txn import Transaction
from tests.integration.projections.kit import (
    TENANT,
    World,
    change,
    in_world,
    now_us,
)
from tests.integration.queries.test_queries import device


def test_events_from_a_position_on(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        device_id = await device(world)
        events, positions_of_all = EventQueries(world.doors), EventQueries(world.across)
        assert await positions_of_all.last_position() == 0
        at = now_us()
        await world.project(
            change(at, "a", Severity.INFO, device_id),
            change(at, "b", Severity.CRITICAL, device_id),
            change(at, "c", Severity.WARNING),
            change(at, "d", Severity.CRITICAL, ""),
        )
        stored = await events.after(0, 10)
        assert [event.new for event in stored] == ["a", "b", "c", "d"]
        assert [event.device_name for event in stored] == ["core-1", "core-1", "", ""]
        assert stored[3].device_id == ""
        positions = [event.position for event in stored]
        assert positions == sorted(set(positions))
        assert await positions_of_all.last_position() == positions[-1]
        assert [event.new for event in await events.after(positions[1], 1)] == ["c"]
        assert [event.new for event in await events.after(0, 10, min_severity=Severity.CRITICAL)] == [
            "b",
            "d",
        ]
        assert [event.new for event in await events.after(0, 10, devices=["cor?-*"])] == ["a", "b"]
        assert [event.new for event in await events.after(0, 10, devices=["nothing", device_id])] == [
            "a",
            "b",
        ]
        assert await events.after(0, 10, devices=["core_1"]) == []
        assert await events.after(0, 10, tenant_id="00000000-0000-4000-8000-00000000000f") == []

    in_world(postgres_dsn, body)


def test_positions_follow_the_commits_of_all_who_write(postgres_dsn: str) -> None:
    """Two daemons on one database: whoever draws a position first commits first."""

    async def body(world: World) -> None:
        events, positions_of_all = EventQueries(world.doors), EventQueries(world.across)
        at = now_us()
        drawn, commit = asyncio.Event(), asyncio.Event()

        def row(seq: int) -> EventRow:
            return EventRow(TENANT, None, seq, 0, at, at, "test", 1, "", "", "", "", "", "", "")

        async def slow(tx: Transaction) -> None:
            await insert_events(tx, str(uuid.UUID(int=1)), [row(1)])
            drawn.set()
            await commit.wait()

        async def quick(tx: Transaction) -> None:
            await insert_events(tx, str(uuid.UUID(int=2)), [row(2)])

        first = asyncio.ensure_future(world.db.run("test.slow", slow))
        await drawn.wait()
        second = asyncio.ensure_future(world.db.run("test.quick", quick))
        end = asyncio.ensure_future(positions_of_all.last_position())
        await asyncio.sleep(0.1)
        seen = await events.after(0, 10)
        assert not second.done()
        assert not end.done()
        commit.set()
        await asyncio.gather(first, second)
        assert seen == []
        assert len(await events.after(0, 10)) == 2
        # Whoever begins behind the end misses none that he could not have read.
        assert await end in (1, 2)

    in_world(postgres_dsn, body)


def test_the_end_stays_when_retention_takes_all(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(change(now_us()), change(now_us()))
        await world.ask("TRUNCATE event")
        assert await EventQueries(world.across).last_position() == 2

    in_world(postgres_dsn, body)
