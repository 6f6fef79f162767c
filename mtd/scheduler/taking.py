"""Taking in what a poll was answered: mapped, and recorded.

What is short is taken at once: that is every live poll, some thousands of times a
second. What is long (a table of 20,000 rows) is taken in slices, by a task of its
own: a session that ends meanwhile doesn't end that, because the mapper has taken
note of what is then still to be recorded.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from mtd.core.slices import in_slices
from mtd.model.metric import Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mtd.ingest.recorder import Recorder
    from mtd.model.command import Reply
    from mtd.model.device import Device
    from mtd.model.observation import Observation
    from mtd.plugin.mapper import DeviceMapper

logger = logging.getLogger(__name__)

MANY_ROWS = 500
"""Fewer rows are mapped within some milliseconds."""


class Taking:
    """Takes in the answers to the polls of one device."""

    def __init__(self, device: Device, mapper: DeviceMapper, recorder: Recorder) -> None:
        self._device = device
        self._mapper = mapper
        self._recorder = recorder
        self._under_way: dict[Tier, asyncio.Task[Observation]] = {}

    async def ready(self, tier: Tier) -> None:
        """Wait until what was read before at this tier is taken in."""
        task = self._under_way.get(tier)
        if task is not None:
            await asyncio.wait({task})

    async def finish(self) -> None:
        """Wait until everything that was read is taken in."""
        if self._under_way:
            await asyncio.wait(set(self._under_way.values()))

    async def take(
        self, tier: Tier, replies: Sequence[Reply], duration_us: int, *, late: bool
    ) -> Observation:
        """Map and record what a poll was answered; return what it brought."""
        if tier is not Tier.T0:
            for table in self._recorder.take_lost_tables(self._device):
                self._mapper.tell_table(table)
            if sum([reply.rows.count for reply in replies]) > MANY_ROWS:
                return await self._take_long(tier, replies, duration_us, late=late)
        observation = self._mapper.observe(tier, replies, late=late)
        if observation.frame is not None:
            observation.frame.poll_duration_us = duration_us
        self._recorder.record(self._device, observation)
        return observation

    async def _take_long(
        self, tier: Tier, replies: Sequence[Reply], duration_us: int, *, late: bool
    ) -> Observation:
        async def work() -> Observation:
            observation = await in_slices(self._mapper.observing(tier, replies, late=late))
            if observation.frame is not None:
                observation.frame.poll_duration_us = duration_us
            await in_slices(self._recorder.recording(self._device, observation))
            return observation

        task = self._under_way[tier] = asyncio.create_task(work())
        task.add_done_callback(lambda _: self._done(tier, task))
        return await asyncio.shield(task)

    def _done(self, tier: Tier, task: asyncio.Task[Observation]) -> None:
        if self._under_way.get(tier) is task:
            del self._under_way[tier]
        if not task.cancelled() and task.exception() is not None:
            # Who polled hears of it as well, unless its session ended before.
            logger.debug("taking in tier %s of %s failed", tier, self._device.name, exc_info=task.exception())
