"""Devices that two collectors poll at a time: one poll of each interval is stored, whichever comes, whenever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.projections.kit import (
    OTHER_DEVICE,
    World,
    declare,
    frame,
    in_world,
    now_us,
)

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

SECOND = 1_000_000
DEVICE_COUNTERS = "SELECT counters[1] FROM telemetry_frame ORDER BY ts_collected"


def poll(at: int, counter: int, **changes: object) -> Envelope:
    """Return a poll of a device that another collector polls, too."""
    event = frame(at, counter=counter, **changes)
    event.redundant.interval_us = SECOND
    event.redundant.poll_group = "t0"
    return event


def start() -> int:
    """Return the begin of a second, some time ago."""
    return now_us() // SECOND * SECOND - 60 * SECOND


def test_one_poll_of_an_interval_is_stored(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = start()
        await world.project(declare(), poll(at + 100, 1), poll(at + SECOND + 100, 2))
        # The other collector's, later: of the same intervals, and of one that the first one missed.
        await world.project(
            poll(at + 600_000, 101), poll(at + SECOND + 600_000, 102), poll(at + 2 * SECOND, 103)
        )
        assert await world.ask(DEVICE_COUNTERS) == [(1,), (2,), (103,)]
        # Late, both in one batch.
        await world.project(poll(at - 9 * SECOND, 51), poll(at - 9 * SECOND + 5, 52))
        assert await world.ask(DEVICE_COUNTERS) == [(51,), (1,), (2,), (103,)]
        assert await world.value("SELECT counters[1] FROM latest") == 103

    in_world(postgres_dsn, body)


def test_the_newest_is_shown_whichever_is_stored(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = start()
        await world.project(declare(), poll(at + 100, 1), poll(at + 600_000, 2))
        assert await world.ask(DEVICE_COUNTERS) == [(1,)]
        assert await world.value("SELECT counters[1] FROM latest") == 2

    in_world(postgres_dsn, body)


def test_others_are_stored_as_they_come(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = start()
        other = poll(at + 5, 7, device=OTHER_DEVICE)
        await world.project(declare(), frame(at + 1, counter=1), frame(at + 2, counter=2), other)
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 3

    in_world(postgres_dsn, body)


def test_what_comes_too_late_to_tell_is_left_out(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us() - 2 * 86_400 * SECOND
        await world.project(declare(), poll(at, 1))
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 0

    in_world(postgres_dsn, body, redundant_days=1.0)


def test_a_rebuild_stores_the_same(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = start()
        await world.project(declare(), poll(at + 100, 1), poll(at + 600_000, 101), poll(at + SECOND, 2))
        await world.runners[-1].rebuild("telemetry")
        await world.project()
        assert await world.ask(DEVICE_COUNTERS) == [(1,), (2,)]

    in_world(postgres_dsn, body)
