"""Projecting goes on, whatever the compaction does or waits for."""

from __future__ import annotations

import asyncio
import datetime as dt
import time

import psycopg
import pytest

from mtd.compaction import unit
from mtd.storage.partitioned import HOUR_US
from tests.integration.compaction.kit import S, ask, compact, frame_partitions
from tests.integration.projections.kit import World, declare, frame, frames, in_world, now_us


def old_hour() -> int:
    now = now_us()
    return now - now % HOUR_US - 3 * HOUR_US


def test_while_the_transaction_of_a_unit_is_open(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(world: World) -> None:
        start = old_hour()
        await world.project(declare(), *frames(50, start))
        loop = asyncio.get_running_loop()
        reached, go_on = asyncio.Event(), asyncio.Event()
        write = unit.recompute_following

        def held(*args: object) -> None:
            """Hold the transaction when all is written, before the frames go."""
            write(*args)  # type: ignore[arg-type]
            loop.call_soon_threadsafe(reached.set)
            asyncio.run_coroutine_threadsafe(go_on.wait(), loop).result()

        monkeypatch.setattr(unit, "recompute_following", held)
        round_ = loop.run_in_executor(None, lambda: compact(postgres_dsn, now_us=now_us()))
        await reached.wait()
        began = time.monotonic()
        for n in range(20):
            # Of now, of the very unit that is held, and of an hour that has no partition.
            at = now_us()
            await world.project(frame(at), frame(start + (60 + n) * S), frame(start - (n + 2) * HOUR_US))
        assert time.monotonic() - began < 10
        assert not round_.done()
        assert await world.value("SELECT count(*) FROM telemetry_axis") == 0
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 50 + 60
        go_on.set()
        account = await round_
        # Those that came meanwhile weren't in its snapshot: they stay for the next round.
        assert account.units[0].frames == 50
        assert not account.failed
        monkeypatch.undo()
        await asyncio.to_thread(compact, postgres_dsn, now_us=now_us())
        assert await world.value("SELECT polls FROM telemetry_axis ORDER BY polls DESC LIMIT 1") == 70
        assert await world.value("SELECT sum(polls) FROM telemetry_axis") == 50 + 40

    in_world(postgres_dsn, body)


def test_while_a_reader_keeps_an_emptied_hour(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        start = old_hour()
        await world.project(declare(), *frames(5, start), frame(now_us()))
        name = f"telemetry_frame_{dt.datetime.fromtimestamp(start // S, dt.UTC):%Y%m%d%H}"
        with psycopg.connect(postgres_dsn) as reader:
            reader.execute("SELECT count(*) FROM mtd.telemetry_frame")
            await asyncio.sleep(1.1)
            account = await asyncio.to_thread(compact, postgres_dsn, now_us=now_us())
            assert len(account.units) == 1
            assert not account.dropped
            assert not account.trouble
            assert name in await asyncio.to_thread(frame_partitions, postgres_dsn)
            await world.project(frame(start + 9 * S), frame(now_us()))
        await asyncio.to_thread(compact, postgres_dsn, now_us=now_us())
        assert name not in await asyncio.to_thread(frame_partitions, postgres_dsn)
        await world.project(frame(start + 10 * S), frame(now_us()))
        assert await world.value("SELECT count(*) FROM telemetry_frame") == 4

    in_world(postgres_dsn, body)


def test_a_reader_who_comes_just_in_time(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from mtd.compaction import hours

    monkeypatch.setattr(hours, "_OLD_S", 1e6)

    async def body(world: World) -> None:
        start = old_hour()
        name = f"telemetry_frame_{dt.datetime.fromtimestamp(start // S, dt.UTC):%Y%m%d%H}"
        await world.project(declare(), *frames(5, start), frame(now_us()))
        with psycopg.connect(postgres_dsn) as reader:
            reader.execute("SELECT count(*) FROM mtd.telemetry_frame")
            round_ = asyncio.get_running_loop().run_in_executor(
                None, lambda: compact(postgres_dsn, now_us=now_us())
            )
            longest = 0.0
            while not round_.done():
                began = time.monotonic()
                await world.project(frame(start + 9 * S), frame(now_us()))
                longest = max(longest, time.monotonic() - began)
            account = await round_
            assert not account.trouble
            assert not [one for one in account.dropped if one.partition == name]
            assert longest < 3
            await world.project(frame(start + 10 * S), frame(now_us()))

    in_world(postgres_dsn, body)


def test_frames_that_are_forgotten_while_they_are_compacted(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebuild deletes frames: the unit that has read them notices, and does it again."""

    async def body(world: World) -> None:
        await world.project(declare(), *frames(50, old_hour()))
        write, calls = unit.recompute_following, []

        def forgotten(*args: object) -> None:
            write(*args)  # type: ignore[arg-type]
            calls.append(1)
            if len(calls) == 1:
                ask(postgres_dsn, "DELETE FROM telemetry_frame WHERE seq < 10")

        monkeypatch.setattr(unit, "recompute_following", forgotten)
        account = await asyncio.to_thread(compact, postgres_dsn, now_us=now_us())
        assert len(calls) == 2
        assert not account.failed
        assert await world.value("SELECT polls FROM telemetry_axis") == account.units[0].frames < 50

    in_world(postgres_dsn, body)
