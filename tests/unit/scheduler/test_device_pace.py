"""Longer intervals under pressure: which polls a device leaves out."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

from mtd.model.metric import Tier
from mtd.scheduler.config import Intervals
from mtd.scheduler.device_loop import DeviceLoop
from mtd.testing import run_async
from tests.unit.scheduler.test_device_loop import DEVICE, FAST, Scene


def test_a_longer_interval_leaves_out_polls_of_that_tier_alone() -> None:
    scene = Scene()
    factors = {Tier.T0: 1, Tier.T1: 1, Tier.T2: 3, Tier.T3: 0}

    async def run() -> None:
        even = FAST.model_copy(update={"intervals_s": Intervals(t0=0.02, t1=0.02, t2=0.02, t3=0.02)})
        parts = replace(scene.parts(even), pace=factors.__getitem__)
        task = asyncio.create_task(DeviceLoop(DEVICE, parts).run())
        async with asyncio.timeout(20):
            while scene.mapper.polled.count(Tier.T2) < 5:
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run_async(run())
    counts = Counter(scene.mapper.polled)
    assert counts[Tier.T3] == 0
    assert counts[Tier.T1] >= 2 * counts[Tier.T2]
    assert counts[Tier.T0] >= 2 * counts[Tier.T2]
