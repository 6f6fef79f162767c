"""Long replies are taken to the end, in slices, whatever becomes of who asked."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from mtd.core.slices import Steps
from mtd.model.command import Reply
from mtd.model.device import Device
from mtd.model.metric import Tier
from mtd.model.observation import Observation
from mtd.plugin.manager import PluginManager
from mtd.plugin.mapper import DeviceMapper
from mtd.scheduler import taking as module
from mtd.scheduler.taking import Taking
from mtd.testing.contract import FakeClock, make_device
from mtd.testing.replies import reply
from mtd.testing.subscribers import COLLECTOR
from tests.contract.loop import run

ROWS = 3_000


@dataclass
class ListRecorder:
    """Keeps what it is given, a step for each part of a table."""

    recorded: list[int] = field(default_factory=list)
    at_once: int = 0
    lost: set[str] = field(default_factory=set)

    def record(self, _device: Device, observation: Observation) -> None:
        self.at_once += 1

    def recording(self, _device: Device, observation: Observation) -> Steps[None]:
        for part in observation.tables:
            self.recorded.append(len(part.upserted))
            yield None

    def take_lost_tables(self, _device: Device) -> Collection[str]:
        lost, self.lost = self.lost, set()
        return lost


class Scene:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.recorder = ListRecorder()
        device = make_device()
        self.mapper: DeviceMapper = PluginManager.of(COLLECTOR).mapper(device, clock=FakeClock())
        self.taking = Taking(device, self.mapper, self.recorder)  # type: ignore[arg-type]

        async def a_turn_for_each_step(steps: Steps[Observation]) -> Observation:
            try:
                while True:
                    next(steps)
                    await asyncio.sleep(0)
            except StopIteration as end:
                found: Observation = end.value
                return found

        monkeypatch.setattr(module, "in_slices", a_turn_for_each_step)

    def replies(self, count: int, at: float = 0.0) -> list[Reply]:
        rows = [{".id": f"*{number:X}", "name": f"user{number}"} for number in range(count)]
        return [reply(command, rows, at=at) for command in self.mapper.commands(Tier.T1)]


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_short_replies_are_taken_at_once(scene: Scene) -> None:
    async def main() -> None:
        observation = await scene.taking.take(Tier.T1, scene.replies(20), 1_234, late=False)
        assert observation.frame is not None
        assert observation.frame.poll_duration_us == 1_234

    run(main())
    assert (scene.recorder.at_once, scene.recorder.recorded) == (1, [])


def test_long_ones_leave_others_their_turn(scene: Scene) -> None:
    async def main() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beside = asyncio.create_task(other())
        observation = await scene.taking.take(Tier.T1, scene.replies(ROWS), 1_234, late=False)
        beside.cancel()
        assert observation.frame is not None
        assert observation.frame.poll_duration_us == 1_234
        return turns

    assert run(main()) > 50
    assert sum(scene.recorder.recorded) == ROWS


def test_who_asked_may_go_and_nothing_is_lost(scene: Scene) -> None:
    async def main() -> None:
        asking = asyncio.create_task(scene.taking.take(Tier.T1, scene.replies(ROWS), 0, late=False))
        for _ in range(5):
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert not scene.recorder.recorded
        # The next session's poll waits for it, and sees what it left.
        await scene.taking.ready(Tier.T1)
        assert sum(scene.recorder.recorded) == ROWS
        observation = await scene.taking.take(Tier.T1, scene.replies(ROWS, at=10.0), 0, late=False)
        assert observation.tables == []
        await scene.taking.ready(Tier.T1)

    run(main())


def test_finishing_waits_for_what_is_under_way(scene: Scene) -> None:
    async def main() -> None:
        await scene.taking.finish()
        asking = asyncio.create_task(scene.taking.take(Tier.T1, scene.replies(ROWS), 0, late=False))
        await asyncio.sleep(0)
        await scene.taking.finish()
        assert sum(scene.recorder.recorded) == ROWS
        await asking

    run(main())


def test_tables_that_got_lost_are_told_whole_by_the_next_poll(scene: Scene) -> None:
    async def main() -> None:
        await scene.taking.take(Tier.T1, scene.replies(ROWS), 0, late=False)
        told = len(scene.recorder.recorded)
        scene.recorder.lost = {"bench_session"}
        await scene.taking.take(Tier.T0, [], 0, late=False)
        await scene.taking.take(Tier.T1, scene.replies(ROWS, at=10.0), 0, late=False)
        assert sum(scene.recorder.recorded[told:]) == ROWS

    run(main())


def test_what_goes_wrong_is_raised_to_who_asked(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Steps[Observation]:
        yield None
        raise RuntimeError("a bug of mtd")

    monkeypatch.setattr(scene.mapper, "observing", broken)

    async def main() -> None:
        with pytest.raises(RuntimeError):
            await scene.taking.take(Tier.T1, scene.replies(ROWS), 0, late=False)
        await scene.taking.ready(Tier.T1)

    run(main())
