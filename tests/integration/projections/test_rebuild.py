from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import patch

import pytest

from mtd.core.errors import NotFound
from mtd.model.device import DeviceStatus, Outcome
from mtd.model.events import seen_event
from mtd.model.sighting import FoundBy, Sighting
from mtd.projections.all import default_projections
from mtd.projections.latest import LatestProjection
from mtd.storage.txn import Transaction
from tests.integration.projections.kit import (
    DEVICE,
    OTHER_DEVICE,
    POSITIONS,
    SEQS,
    World,
    change,
    declare,
    frame,
    frames,
    in_world,
    now_us,
    origin,
    outcome,
    probe,
    snapshot,
    table,
)

LATEST = "SELECT device_id, poll_group, counters, seq FROM latest ORDER BY device_id, poll_group"


def test_a_rebuilt_projection_is_what_it_was(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(declare(), *frames(30, at), *frames(30, at, OTHER_DEVICE))
        before = await world.ask(LATEST)
        await world.ask(
            "UPDATE latest SET counters = '{0,0}', ts_collected = ts_collected + interval '1 hour'"
        )
        runner = world.runners[-1]
        await runner.rebuild("latest")
        more = asyncio.ensure_future(world.log.append([frame(at + 99, counter=99)]))
        await runner.wait_for(world.log.stats().last_seq)
        await more
        await runner.wait_for(world.log.stats().last_seq)
        after = await world.ask(LATEST)
        assert after == [(DEVICE, "t0", [99, None], 62), before[1]]
        # It has joined: one position for all, and no second row of telemetry.
        assert await world.value(POSITIONS) == [62]
        assert await world.value(SEQS) == list(range(2, 63))
        assert world.committed == list(range(1, 63))

    in_world(postgres_dsn, body, batch_events=7)


@pytest.mark.parametrize("name", ["telemetry", "latest", "events", "tables", "snapshots", "discovery"])
def test_every_projection_can_be_rebuilt(postgres_dsn: str, name: str) -> None:
    tables = {
        "telemetry_frame": "seq, device_id, counters, gauges, rates",
        "latest": "device_id, seq, counters",
        "event": "seq, part, position, event_type, new_value",
        "device_health": "seq, outcome",
        "device_status": "status, outcome, since, last_ok_at, routeros_version, probed_at, seq",
        "device_capability": "name, present, changed_at, seq",
        "state_row": "row_key, seq, fields",
        "snapshot": "seq, content",
        "device_proposal": "proposal_id, seq, address, identity, first_seen_at, last_seen_at",
    }

    async def content(world: World) -> dict[str, list[Any]]:
        return {
            table_name: await world.ask(f"SELECT {columns} FROM {table_name} ORDER BY {columns}")
            for table_name, columns in tables.items()
        }

    async def body(world: World) -> None:
        at = now_us()
        await world.project(
            declare(),
            *frames(10, at),
            outcome(at, Outcome.OK, DeviceStatus.UP),
            probe(at + 1, "7.15", wifi=True),
            outcome(at + 2, Outcome.TIMED_OUT, DeviceStatus.DOWN),
            change(at),
            outcome(at + 3, Outcome.OK, DeviceStatus.UP),
            probe(at + 4, "7.16", wifi=False, lte=True),
            outcome(at + 5, Outcome.REFUSED, DeviceStatus.DOWN),
            table(at, {"*1": {"name": "ether1"}, "*2": {"name": "ether2"}}, complete=True),
            table(at, {}, ["*2"]),
            snapshot(at, b'{"a":1}'),
            seen_event(origin(), Sighting(FoundBy.MNDP, "192.0.2.1", identity="r1"), at, at),
        )
        before = await content(world)
        assert all(before.values())
        assert [row[3] for row in before["event"]] == [
            "device.up",
            "device.timed_out",
            "interface.oper.changed",
            "device.recovered",
            "device.version.changed",
            "device.capabilities.changed",
            "device.refused",
        ]
        await world.runners[-1].rebuild(name)
        await world.project()
        assert await content(world) == before

    in_world(postgres_dsn, body, batch_events=3)


def test_a_rebuild_that_was_interrupted_goes_on_after_the_next_start(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(declare(), *frames(200, at))
        await world.runners[-1].rebuild("latest")
        await world.runners[-1].stop()
        assert await world.value("SELECT count(*) FROM latest") in (0, 1)
        again = world.runner()
        await again.start()
        await world.project()
        assert await world.ask(LATEST) == [(DEVICE, "t0", [199, None], 201)]
        assert await world.value(POSITIONS) == [201]
        assert await world.value(SEQS) == list(range(2, 202))

    in_world(postgres_dsn, body, batch_events=4)


def test_a_rebuild_keeps_what_the_log_has_no_more(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us()
        await world.project(declare())
        for device in (DEVICE, OTHER_DEVICE):
            await world.log.append([frame(at, device=device)])
        await world.project()
        world.log.unpin("projections")
        await world.log.trim(3)
        assert world.log.stats().first_seq == 3
        await world.runners[-1].rebuild("latest")
        await world.project()
        assert [device for device, *_ in await world.ask(LATEST)] == [DEVICE, OTHER_DEVICE]

    in_world(postgres_dsn, body)


def test_rebuilt_events_keep_what_the_log_has_no_more(postgres_dsn: str) -> None:
    """What was known when the log began tells which of the first events it retains were changes."""
    ask = "SELECT seq, part, position, event_type, old_value, new_value FROM event ORDER BY position"
    status = (
        "SELECT status, outcome, reason, since, last_ok_at, outcome_at, routeros_version, identity"
        " FROM device_status"
    )

    async def body(world: World) -> None:
        at = now_us() - 1_000_000
        await world.project(
            outcome(at, Outcome.OK, DeviceStatus.UP),
            probe(at + 1, "7.15", wifi=True),
            outcome(at + 2, Outcome.TIMED_OUT, DeviceStatus.DOWN),
        )
        for event in (
            outcome(at + 3, Outcome.TIMED_OUT, DeviceStatus.DOWN),
            probe(at + 4, "7.15", wifi=True),
            outcome(at + 5, Outcome.OK, DeviceStatus.UP),
            probe(at + 6, "7.16", wifi=True),
        ):
            await world.log.append([event])
        await world.project()
        before, before_status = await world.ask(ask), await world.ask(status)
        assert [row[3] for row in before] == [
            "device.up",
            "device.timed_out",
            "device.recovered",
            "device.version.changed",
        ]
        world.log.unpin("projections")
        await world.log.trim(4)
        assert world.log.stats().first_seq == 4
        for _ in range(2):
            await world.runners[-1].rebuild("events")
            await world.project()
            assert await world.ask(ask) == before
            assert await world.ask(status) == before_status

    in_world(postgres_dsn, body)


def test_a_rebuild_of_events_that_was_interrupted_keeps_their_positions(postgres_dsn: str) -> None:
    ask = "SELECT position, seq FROM event ORDER BY position"

    async def body(world: World) -> None:
        at = now_us()
        await world.project(*(change(at + n) for n in range(50)))
        before = await world.ask(ask)
        await world.runners[-1].rebuild("events")
        await world.runners[-1].stop()
        again = world.runner()
        await again.start()
        async with again._moved:
            await again._moved.wait_for(lambda: bool(again._lanes))
        await again.rebuild("events")
        await world.project(change(at + 60))
        after = await world.ask(ask)
        assert after[:-1] == before
        assert after[-1][0] > before[-1][0]

    in_world(postgres_dsn, body, batch_events=3)


def test_only_known_projections_can_be_rebuilt(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        await world.project(declare())
        with pytest.raises(
            NotFound,
            match="there are discovery, events, flows, latest, logs, snapshots, sources, tables, telemetry",
        ):
            await world.runners[-1].rebuild("weather")

    in_world(postgres_dsn, body)


def test_a_projection_added_later_catches_up_and_joins(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        everything = default_projections(world.partitions)
        await world.runner([one for one in everything if one.name != "latest"]).start()
        at = now_us()
        await world.project(declare(), *frames(50, at))
        await world.runners[-1].stop()
        await world.runner(everything).start()
        await world.project(frame(at + 60, counter=60))
        assert await world.ask(LATEST) == [(DEVICE, "t0", [60, None], 52)]
        assert await world.value(POSITIONS) == [52]
        assert await world.value(SEQS) == list(range(2, 53))

    in_world(postgres_dsn, body, batch_events=10)


def test_the_log_keeps_what_is_forgotten_until_it_is_made_again(postgres_dsn: str) -> None:
    """It trims what all consumers have, at any moment: also while rows are deleted."""

    async def body(world: World) -> None:
        for event in (declare(), *frames(20, now_us())):
            await world.project(event)  # a batch each: it is whole ones that are trimmed
        runner = world.runners[-1]
        world.log.pin("projections", 21)  # all of it has settled
        forget = LatestProjection.forget
        seen: list[int] = []

        async def slowly(projection: LatestProjection, tx: Transaction, log_id: str, first_seq: int) -> None:
            seen.append(await world.log.trim(21))
            await forget(projection, tx, log_id, first_seq)

        with patch.object(LatestProjection, "forget", slowly):
            await runner.rebuild("latest")
        assert seen == [1], "nothing was trimmed meanwhile"
        assert await world.log.trim(21) == 1
        await runner.wait_for(21)
        assert await world.value("SELECT counters[1] FROM latest") == 19
        assert "projections.rebuild" not in world.log.stats().consumers

    in_world(postgres_dsn, body)


def test_what_a_killed_rebuild_held_is_let_go(postgres_dsn: str) -> None:
    """Pins outlive their process: the log would grow for ever."""

    async def body(world: World) -> None:
        await world.project(declare(), *frames(5, now_us()))
        await world.runners.pop().stop()
        world.log.pin("projections", 6)
        world.log.pin("projections.rebuild", 0)
        await world.ask("UPDATE projection_position SET position = 2 WHERE name = 'latest'")
        await world.project(frame(now_us()))
        pins = world.log.stats().consumers
        assert "projections.rebuild" not in pins
        assert pins["projections"] <= 2, "what was put back is held"

    in_world(postgres_dsn, body)
