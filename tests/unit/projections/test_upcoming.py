"""The next group is built while the one before is written, behind a backlog and only there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mtd.eventlog.memory import MemoryEventLog
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.projections.batching import Batch, NumberedEvent
from mtd.projections.reader import LogEnded, ReadAhead
from mtd.projections.upcoming import Group, Upcoming
from mtd.testing import run_async

PROJECTIONS = ["telemetry"]
LIMIT = 10


class Builder:
    """Builds batches, and fails when it is told to."""

    def __init__(self) -> None:
        self.built: list[list[int]] = []
        self.failure: Exception | None = None

    async def build(self, _: Sequence[Any], events: Sequence[NumberedEvent]) -> Batch:
        self.built.append([seq for seq, _ in events])
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return Batch(events)


@asynccontextmanager
async def following(events: int) -> AsyncIterator[tuple[MemoryEventLog, Upcoming, Builder]]:
    log, builder = MemoryEventLog(), Builder()
    await log.start()
    await append(log, events)
    reader = ReadAhead("live", log, 0, batches=64, events=4 * LIMIT)
    await settle()
    try:
        yield log, Upcoming(reader, builder.build, LIMIT), builder
    finally:
        await reader.close()
        await log.stop()


async def append(log: MemoryEventLog, events: int) -> None:
    for _ in range(events):
        await log.append([Envelope()])


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def seqs(events: Sequence[NumberedEvent]) -> list[int]:
    return [seq for seq, _ in events]


def test_behind_a_backlog_the_next_group_is_built_meanwhile() -> None:
    async def body() -> None:
        async with following(25) as (_, upcoming, builder):
            taken = []
            for _ in range(3):
                group = await upcoming.take()
                taken.append((seqs(group.events), group.built_for(PROJECTIONS) is not None))
                async with upcoming.building(PROJECTIONS):
                    await settle()
            # The last five aren't a whole group: more may come before their turn.
            assert taken == [
                (list(range(1, 11)), False),
                (list(range(11, 21)), True),
                (list(range(21, 26)), False),
            ]
            assert builder.built == [list(range(11, 21))]

    run_async(body())


def test_what_comes_during_a_write_joins_the_next_group() -> None:
    async def body() -> None:
        async with following(3) as (log, upcoming, builder):
            assert seqs((await upcoming.take()).events) == [1, 2, 3]
            async with upcoming.building(PROJECTIONS):
                await append(log, 2)
                await settle()
                await append(log, 2)
                await settle()
            assert seqs((await upcoming.take()).events) == [4, 5, 6, 7]
            assert builder.built == []

    run_async(body())


def test_one_that_is_being_built_when_the_write_ends_is_waited_for() -> None:
    async def body() -> None:
        async with following(25) as (_, upcoming, builder):
            await upcoming.take()
            async with upcoming.building(PROJECTIONS):
                while not builder.built:
                    await asyncio.sleep(0)
            group = await upcoming.take()
            assert group.built_for(PROJECTIONS) is not None
            assert seqs(group.events) == list(range(11, 21))

    run_async(body())


def test_built_for_others_it_is_built_again() -> None:
    """A projection that has caught up may join between building and writing."""

    async def body() -> None:
        async with following(25) as (_, upcoming, _builder):
            await upcoming.take()
            async with upcoming.building(PROJECTIONS):
                await settle()
            group = await upcoming.take()
            assert group.built_for([*PROJECTIONS]) is None
            assert seqs(group.events) == list(range(11, 21))

    run_async(body())


def test_a_write_that_fails_and_a_building_that_fails_are_told() -> None:
    async def body() -> None:
        async with following(25) as (_, upcoming, builder):
            await upcoming.take()
            builder.failure = ValueError("can't build")
            with pytest.raises(RuntimeError, match="can't write"):
                await write(upcoming, RuntimeError("can't write"))
        async with following(25) as (_, upcoming, builder):
            await upcoming.take()
            builder.failure = ValueError("can't build")
            with pytest.raises(ValueError, match="can't build"):
                await write(upcoming)

    async def write(upcoming: Upcoming, failure: Exception | None = None) -> None:
        async with upcoming.building(PROJECTIONS):
            await settle()
            if failure is not None:
                raise failure

    run_async(body())


def test_that_nothing_comes_any_more_is_told_each_time() -> None:
    """Also to who asks behind a building that saw it and was given up."""

    async def body() -> None:
        log = MemoryEventLog()
        await log.start()
        reader = ReadAhead("live", log, 0, batches=1, events=1)
        upcoming = Upcoming(reader, Builder().build, LIMIT)
        await log.stop()
        await settle()
        async with upcoming.building(PROJECTIONS):
            await settle()
        for _ in range(2):
            with pytest.raises(LogEnded):
                await upcoming.take()
        await reader.close()

    run_async(body())


def test_what_a_lane_has_written_by_other_means_is_left_out() -> None:
    group = Group([(seq, Envelope()) for seq in range(5, 10)], PROJECTIONS)
    assert group.behind(4) is group
    assert seqs(group.behind(7).events) == [8, 9]
    assert seqs(group.behind(9).events) == []
