"""A device's loop ends when it is told to, whatever happens in that moment."""

from __future__ import annotations

import asyncio

import pytest

from mtd.scheduler.device_loop import DeviceLoop
from mtd.testing import run_async
from tests.unit.scheduler.test_device_loop import DEVICE, Scene


@pytest.mark.parametrize("turns", range(-4, 5))
def test_it_ends_though_a_probe_is_wanted_in_the_very_turn_in_which_it_is_told_to(turns: int) -> None:
    async def run() -> None:
        scene = Scene()
        loop = DeviceLoop(DEVICE, scene.parts())
        task = asyncio.create_task(loop.run())
        while not scene.recorder.probes:
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.01)
        steps = [task.cancel, loop._prober.want]
        for step in steps if turns > 0 else steps[::-1]:
            step()
            for _ in range(abs(turns)):
                await asyncio.sleep(0)
        done, _ = await asyncio.wait({task}, timeout=2)
        task.cancel()
        assert done

    run_async(run())
