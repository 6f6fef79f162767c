"""The newest values in front of a backlog: shown at once, and history is none the worse for it."""

from __future__ import annotations

import asyncio

from mtd.projections.ahead import Ahead
from mtd.projections.batching import NumberedEvent
from mtd.testing.metrics import metric
from tests.integration.projections.kit import (
    DEVICE,
    OTHER_DEVICE,
    POSITIONS,
    SEQS,
    T1_LAYOUT,
    World,
    declare,
    frame,
    in_world,
    now_us,
)

NEWEST = "SELECT array_agg(to_us(ts_collected) ORDER BY device_id) FROM latest WHERE poll_group = 't0'"
HOUR_US = 3_600_000_000
MINUTE_US = 60_000_000


def ahead_of(world: World, behind_s: float = 600.0) -> tuple[Ahead, list[int]]:
    shown: list[int] = []

    def on_shown(events: list[NumberedEvent]) -> None:
        shown.extend(seq for seq, _ in events)

    return Ahead(world.log, world.db, lambda: behind_s, on_shown, world.config), shown  # type: ignore[arg-type]


def test_newest_values_are_there_before_the_backlog_and_each_event_is_stored_once(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        start = now_us() - 10 * MINUTE_US
        await world.project(declare(), frame(start, counter=0), frame(start, counter=0, device=OTHER_DEVICE))
        await world.runners[-1].stop()
        backlog = [
            frame(start + second * 1_000_000, counter=second, device=device)
            for second in range(1, 300)
            for device in (DEVICE, OTHER_DEVICE)
        ]
        await world.log.append(backlog)
        last = world.log.stats().last_seq
        ahead, shown = ahead_of(world)
        assert await ahead.show() == 2
        newest_us = start + 299 * 1_000_000
        assert await world.value(NEWEST) == [newest_us, newest_us]
        assert await world.value(POSITIONS) == [3], "no position moves"
        assert sorted(shown) == [last - 1, last]
        assert await ahead.show() == 0, "nothing new came"
        # Now the projections come to the same frames.
        runner = world.runner()
        await runner.start()
        await runner.wait_for(last)
        assert await world.value(NEWEST) == [newest_us, newest_us]
        assert await world.value(SEQS) == list(range(2, last + 1))
        assert await world.value("SELECT array_agg(counters[1]) FROM latest") == [299, 299]

    in_world(postgres_dsn, body, batch_events=50)


def test_latest_never_moves_back_while_history_is_written(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        start = now_us() - 10 * MINUTE_US
        await world.project(declare(), frame(start))
        await world.runners[-1].stop()
        await world.log.append([frame(start + second * 1_000_000) for second in range(1, 400)])
        ahead, _ = ahead_of(world)
        await ahead.show()
        runner = world.runner()
        await runner.start()
        seen = []
        for second in range(400, 420):
            await world.log.append([frame(start + second * 1_000_000)])
            await ahead.show()
            seen.append((await world.value(NEWEST))[0])
        assert seen == [start + second * 1_000_000 for second in range(400, 420)]
        await runner.wait_for(world.log.stats().last_seq)
        assert await world.value(NEWEST) == seen[-1:]

    in_world(postgres_dsn, body, batch_events=20)


def test_frames_of_layouts_that_are_not_stored_yet_are_left_to_the_projections(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us() - MINUTE_US
        await world.project(declare(), frame(at))
        await world.runners[-1].stop()
        new = frame(at + 1, layout=T1_LAYOUT, counters=[], gauges=[5.0], rates=[], low_confidence=())
        await world.log.append([declare(T1_LAYOUT), new, frame(at + 2)])
        ahead, shown = ahead_of(world)
        await ahead.show()
        assert shown == [5]
        assert await world.value("SELECT array_agg(poll_group) FROM latest") == ["t0"]
        await world.runner().start()
        await world.project()
        assert await world.value("SELECT array_agg(poll_group ORDER BY poll_group) FROM latest") == [
            "t0",
            "t1",
        ]

    in_world(postgres_dsn, body)


def test_frames_from_the_future_are_not_shown(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us() - MINUTE_US
        await world.project(declare(), frame(at))
        await world.runners[-1].stop()
        future = frame(at + HOUR_US)
        future.received_at_us = at
        await world.log.append([frame(at + 1), future])
        ahead, _ = ahead_of(world)
        await ahead.show()
        assert await world.value(NEWEST) == [at + 1]

    in_world(postgres_dsn, body)


def test_it_acts_only_while_there_is_a_backlog_and_fails_quietly(postgres_dsn: str) -> None:
    async def body(world: World) -> None:
        at = now_us() - MINUTE_US
        await world.project(declare(), frame(at))
        await world.runners[-1].stop()
        await world.log.append([frame(at + 1)])
        behind = 0.0
        looks = 0

        def behind_s() -> float:
            nonlocal looks
            looks += 1
            return behind

        ahead = Ahead(world.log, world.db, behind_s, lambda _: None, world.config)
        await ahead.start()
        async with asyncio.timeout(10):
            while looks < 3:
                await asyncio.sleep(0.01)
            assert await world.value(NEWEST) == [at]
            before = metric("mtd_projections_ahead_failures_total")
            await world.ask(
                "ALTER TABLE latest ADD CONSTRAINT nothing_new CHECK (poll_group <> 't0') NOT VALID"
            )
            behind = 60.0
            while metric("mtd_projections_ahead_failures_total") == before:
                await asyncio.sleep(0.01)
            assert metric("mtd_projections_ahead_active") == 1
            await world.ask("ALTER TABLE latest DROP CONSTRAINT nothing_new")
            while await world.value(NEWEST) != [at + 1]:
                await asyncio.sleep(0.01)
        await ahead.stop()

    in_world(postgres_dsn, body, ahead_interval_s=0.02)
