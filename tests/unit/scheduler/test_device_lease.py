"""A device whose lease is over isn't polled, and no session is opened to it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mtd.model.metric import Tier
from mtd.scheduler import device_loop
from mtd.scheduler.device_loop import DeviceLoop
from mtd.testing import run_async
from tests.unit.scheduler.test_device_loop import DEVICE, Scene


def test_it_stops_before_the_next_poll_and_goes_on_with_the_next_lease() -> None:
    scene = Scene()
    allowed = {DEVICE.device_id}

    async def run() -> None:
        loop = DeviceLoop(DEVICE, replace(scene.parts(), may_poll=allowed.__contains__))
        task = asyncio.create_task(loop.run())
        async with asyncio.timeout(30):
            while set(scene.mapper.polled) != set(Tier):
                await asyncio.sleep(0.005)
            allowed.clear()
            await asyncio.sleep(0)  # one that has begun ends
            polls, skipped = len(scene.mapper.polled), loop.account.polls_skipped
            while loop.account.polls_skipped < skipped + 10:
                await asyncio.sleep(0.005)
            assert len(scene.mapper.polled) <= polls + len(Tier)
            polls = len(scene.mapper.polled)
            while loop.account.polls_skipped < skipped + 20:
                await asyncio.sleep(0.005)
            assert len(scene.mapper.polled) == polls
            allowed.add(DEVICE.device_id)
            while len(scene.mapper.polled) < polls + 5:
                await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_async(run(), 60)


def test_it_connects_only_with_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_loop, "_LEASE_CHECK_S", 0.01)
    scene = Scene()
    allowed: set[str] = set()
    asked = asyncio.Event()

    def may_poll(device_id: str) -> bool:
        asked.set()
        return device_id in allowed

    async def run() -> None:
        task = asyncio.create_task(DeviceLoop(DEVICE, replace(scene.parts(), may_poll=may_poll)).run())
        async with asyncio.timeout(30):
            await asked.wait()
            asked.clear()
            await asked.wait()
            assert scene.source.connects == 0
            allowed.add(DEVICE.device_id)
            while not scene.source.connects:
                await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_async(run(), 60)
