"""How the slower tiers of a router leave room: for its live polls, and for those of other routers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from mtd.model.command import CANCELLED_TOO_LARGE, Command, Reply, Rows, Trap
from mtd.model.device import DeviceStatus, Outcome
from mtd.model.metric import Tier
from mtd.model.observation import Observation
from mtd.scheduler.config import Intervals, SchedulerConfig
from mtd.scheduler.device_loop import DeviceLoop
from mtd.scheduler.first_readings import FirstReadings
from mtd.testing import run_async
from tests.unit.scheduler.test_device_loop import DEVICE, Scene, live_until


def test_routers_that_were_connected_together_are_not_polled_together_for_ever() -> None:
    """The second polls of a slower tier are anywhere in an interval, though the first ones were at once."""
    settings = SchedulerConfig(intervals_s=Intervals(t0=5.0, t1=5.0, t2=5.0, t3=0.4))

    async def second_poll(seed: int) -> float:
        scene = Scene(seed=seed)
        loop = asyncio.get_running_loop()
        found: list[float] = []
        observe = scene.mapper.observe

        def noted(tier: Tier, replies: Sequence[Reply], *, late: bool = False) -> Observation:
            if tier is Tier.T3:
                found.append(loop.time())
            return observe(tier, replies, late=late)

        scene.mapper.observe = noted  # type: ignore[method-assign]
        task = asyncio.create_task(DeviceLoop(DEVICE, scene.parts(settings)).run())
        while len(found) < 2:
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return found[1] - found[0]

    async def main() -> list[float]:
        return await asyncio.gather(*(second_poll(seed) for seed in range(12)))

    gaps = run_async(main())
    assert min(gaps) > 0.2 * 0.9
    assert max(gaps) - min(gaps) > 0.2


def test_first_readings_wait_for_each_other_and_live_polls_do_not() -> None:
    settings = SchedulerConfig(intervals_s=Intervals(t0=0.02, t1=0.1, t2=0.1, t3=0.1))
    first_readings = FirstReadings(1)
    under_way: Counter[str] = Counter()
    most: Counter[str] = Counter()

    def scene() -> Scene:
        scene = Scene()
        asked: set[str] = set()
        run = scene.source.run

        async def counted(commands: Sequence[Command], timeout_s: float | None = None) -> list[Reply]:
            path = commands[0].path
            if path in asked:
                return await run(commands, timeout_s)
            asked.add(path)
            under_way[path] += 1
            most[path] = max(most[path], under_way[path])
            await asyncio.sleep(0.02)
            under_way[path] -= 1
            return await run(commands, timeout_s)

        scene.source.run = counted  # type: ignore[method-assign]
        return scene

    async def main() -> list[Scene]:
        scenes = [scene() for _ in range(6)]
        loops = [
            DeviceLoop(DEVICE, replace(one.parts(settings), first_readings=first_readings)) for one in scenes
        ]
        tasks = [asyncio.create_task(loop.run()) for loop in loops]
        while not all({*Tier} <= set(one.mapper.polled) for one in scenes):
            await asyncio.sleep(0.005)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return scenes

    run_async(main())
    assert most.pop("/t0/print") > 1
    slower = {f"/{tier}/print": 1 for tier in (Tier.T1, Tier.T2, Tier.T3)}
    assert {path: most[path] for path in slower} == slower


def test_a_router_that_answers_nothing_live_holds_no_first_reading_up() -> None:
    scene = Scene()
    scene.source.hanging = {"/t0/print"}
    first_readings = FirstReadings(1)

    async def main() -> None:
        loop = DeviceLoop(DEVICE, replace(scene.parts(), first_readings=first_readings))
        task = asyncio.create_task(loop.run())
        while scene.source.asked_hanging < 3:
            await asyncio.sleep(0.005)
            for tier in (Tier.T1, Tier.T2, Tier.T3):
                assert first_readings.of(tier).in_progress == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_async(main())
    assert scene.mapper.polled == []


def test_a_live_poll_waits_for_a_few_commands_of_a_slower_tier_and_not_for_all() -> None:
    """A router answers one command after the other."""
    scene = Scene()
    order: list[str] = []
    turn = asyncio.Lock()

    async def one_after_the_other(commands: Sequence[Command], timeout_s: float | None = None) -> list[Reply]:
        async with turn:
            for command in commands:
                order.append(command.path)
                await asyncio.sleep(0.002)
        return [Reply(command, Rows(), 0.0, 0, 0.0) for command in commands]

    def long_tiers(tier: Tier) -> list[Command]:
        return [Command(f"/{tier}/{number}") for number in range(100 if tier is Tier.T3 else 1)]

    scene.source.run = one_after_the_other  # type: ignore[method-assign]
    scene.mapper.commands = long_tiers  # type: ignore[method-assign]
    live_until(scene, lambda: Tier.T3 in scene.mapper.polled)
    answered = [path.split("/")[1] for path in order]
    first, last = answered.index("t3"), len(answered) - answered[::-1].index("t3")
    in_a_row = "".join("3" if tier == "t3" else " " for tier in answered[first:last]).split()
    assert sum(map(len, in_a_row)) >= 100
    assert max(map(len, in_a_row)) < 20


def test_what_rests_because_it_was_too_large_is_told_as_long_as_it_rests() -> None:
    scene = Scene()
    trap = Trap("more rows than we read", CANCELLED_TOO_LARGE)
    scene.mapper.aside = [Reply(Command("/long/print"), Rows(), 0.0, 0, 0.0, trap=trap)]
    live_until(scene, lambda: scene.mapper.polled.count(Tier.T0) >= 4)
    told = [report for report in scene.recorder.outcomes if report.outcome is Outcome.REPLY_TOO_LARGE]
    assert [report.status for report in told] == [DeviceStatus.DEGRADED]
    assert "/long/print" in told[0].reason
