from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.projections.kit import World, in_world
from tests.integration.projections.two_hubs import NAMES, Edge, ModelHub, check_each_once, prepare

LENGTH = 12
HUB = st.integers(0, 1)
POSITION = st.integers(1, LENGTH)
SEND = st.tuples(st.just("send"), HUB, POSITION, st.integers(3, LENGTH))
PROJECT = st.tuples(st.just("project"), HUB, st.integers(0, 2), st.integers(3, LENGTH))
BOTH = st.tuples(st.just("project_both"), st.integers(0, 2), st.integers(0, 2), st.integers(3, LENGTH))
REBUILD = st.tuples(st.just("rebuild"), HUB, st.sampled_from((*NAMES, "sources")))
OTHERS = st.one_of(
    st.tuples(st.just("kill"), HUB),
    st.tuples(st.just("observe"), HUB),
    st.tuples(st.just("lose_disk"), HUB),
    st.tuples(st.just("save")),
    st.tuples(st.just("restore")),
)
ACTIONS = st.one_of(SEND, PROJECT, BOTH, REBUILD, OTHERS)
TABLES = ("noted", "projection_position", "ingest_log", "hub_log", "hub_source", "dead_letter")


async def carry_out(world: World, hubs: list[ModelHub], edge: Edge, action: tuple[Any, ...]) -> None:
    match action:
        case ("send", hub, first, more):
            await hubs[hub].take(edge, first, first + more)
        case ("project", hub, lane, count):
            await hubs[hub].step(lane, count)
        case ("project_both", lane, other, count):
            await asyncio.gather(hubs[0].step(lane, count), hubs[1].step(other, count))
        case ("kill", hub):
            hubs[hub].forget_all()
        case ("observe", hub):
            hubs[hub].observe()
        case ("rebuild", hub, name):
            await hubs[hub].rebuild(name)
        case ("lose_disk", hub):
            # What one projection has of its own and another lacks goes with it, with one hub as with two.
            await hubs[hub].finish()
            hubs[hub].lose_disk()
        case ("save",):
            await save(world)
        case ("restore",):
            await restore(world, hubs)


async def save(world: World) -> None:
    """Copy what the database holds, as a backup does."""
    await world.ask(
        "".join(
            f"DELETE FROM saved.{table}; INSERT INTO saved.{table} TABLE mtd.{table};" for table in TABLES
        )
    )


async def restore(world: World, hubs: list[ModelHub]) -> None:
    """Put a backup in the place of what the database holds."""
    await world.ask(
        "".join(f"DELETE FROM mtd.{table}; INSERT INTO mtd.{table} TABLE saved.{table};" for table in TABLES)
    )
    for hub in hubs:
        hub.forget_all()


async def finish(world: World, hubs: list[ModelHub], edge: Edge, poisoned: list[int]) -> None:
    await hubs[0].take(edge, 1, LENGTH)
    await asyncio.gather(*(hub.finish() for hub in hubs))
    await check_each_once(world, hubs, edge, poisoned)


def test_each_event_is_projected_once_whatever_two_hubs_go_through(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await prepare(world)
        await world.ask(
            "CREATE SCHEMA saved;" + "".join(f"CREATE TABLE saved.{t} AS TABLE mtd.{t};" for t in TABLES)
        )
        loop = asyncio.get_running_loop()

        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
        @given(
            actions=st.lists(ACTIONS, min_size=6, max_size=20),
            poisoned=st.lists(POSITION, max_size=2, unique=True),
        )
        def run(actions: list[tuple[Any, ...]], poisoned: list[int]) -> None:
            async def example() -> None:
                hubs, edge = [ModelHub(world), ModelHub(world)], Edge(LENGTH, poisoned)
                await save(world)
                for action in actions:
                    await carry_out(world, hubs, edge, action)
                await finish(world, hubs, edge, poisoned)

            asyncio.run_coroutine_threadsafe(example(), loop).result(60)

        await asyncio.to_thread(run)

    in_world(postgres_dsn, body, timeout_s=120)


def test_what_another_hub_brought_is_left_out_by_all_that_project_again(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await prepare(world)
        hubs, edge = [ModelHub(world), ModelHub(world)], Edge(LENGTH)
        before, after = hubs
        await before.take(edge, 1, 8)
        await before.step(0, 3)
        await after.take(
            edge, 1, LENGTH
        )  # what the first one has appended, and not projected, comes here again
        await after.finish()
        before.forget_all()
        await before.finish()
        await check_each_once(world, hubs, edge, ())
        for hub in hubs:
            for name in (*NAMES, "sources"):
                await hub.rebuild(name)
                hub.forget_all()
                await hub.step(0, 2)
                await hub.step(1, 2)
            await hub.finish()
        await check_each_once(world, hubs, edge, ())

    in_world(postgres_dsn, body)


def test_a_lane_that_goes_first_decides_for_those_that_follow(postgres_dsn: str) -> None:
    """While `sources` or another projection is behind, what the others project is claimed all the same."""

    async def body(world: World) -> None:
        await prepare(world)
        hubs, edge = [ModelHub(world), ModelHub(world)], Edge(LENGTH)
        first, second = hubs
        await first.take(edge, 1, 6)
        await second.take(edge, 1, LENGTH)
        await first.finish()
        await first.rebuild("sources")
        await first.rebuild(NAMES[1])
        await first.take(edge, 7, LENGTH)
        await first.step(1, 100)  # the front lane: `one` alone
        await second.finish()
        await first.finish()
        await check_each_once(world, hubs, edge, ())

    in_world(postgres_dsn, body)


def test_events_that_an_older_release_projected_stay_the_hub_s_own(postgres_dsn: str) -> None:
    """It noted only what is projected, not from whose log: an upgrade, and one after going back once."""

    async def body(world: World) -> None:
        await prepare(world)
        hub, other, edge = ModelHub(world), ModelHub(world), Edge(LENGTH, [2])

        async def older_release() -> None:
            await hub.finish()
            await world.ask("DELETE FROM hub_source")
            await world.ask("UPDATE hub_log SET decided = 0, uncounted = '{}' WHERE decided <= 4")
            await world.ask("UPDATE hub_log SET decided = 4 WHERE decided > 4")

        await hub.take(edge, 1, 4)
        await older_release()
        hub.forget_all()
        await hub.rebuild(NAMES[0])
        await hub.take(edge, 5, 8)
        await hub.finish()
        await hub.take(edge, 9, 10)
        await older_release()
        hub.forget_all()
        for name in NAMES:
            await hub.rebuild(name)
        await other.take(edge, 1, LENGTH)
        await other.finish()
        await hub.finish()
        await check_each_once(world, [hub, other], edge, [2])

    in_world(postgres_dsn, body)


def test_a_place_in_a_log_that_can_t_be_noted_stops_nobody(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await prepare(world)
        hub, edge = ModelHub(world), Edge(LENGTH)
        strange = [edge.event(position) for position in (2**63 - 1, 2**62 + 1, 1, 2)]
        strange[2].source_log_id = b"short"
        strange[3].tenant_id = "nobody's"
        hub.events = list(enumerate(strange, start=1))
        projected = [await hub.step(0, 10), await hub.step(0, 10)]
        assert projected == [True, False]
        assert await world.value("SELECT projected::text FROM ingest_log") == "{[2,3)}"

    in_world(postgres_dsn, body)
