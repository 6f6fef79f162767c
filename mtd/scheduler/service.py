"""The set of device loops, kept equal to the inventory."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mtd.core.errors import NotFound, Retryable
from mtd.core.service import TaskGroup
from mtd.model.device import DeviceStatus, Outcome
from mtd.model.observation import OutcomeReport
from mtd.scheduler import metrics
from mtd.scheduler.device_loop import DeviceLoop

if TYPE_CHECKING:
    from mtd.model.device import Device
    from mtd.model.metric import Tier
    from mtd.model.observation import ProbeFacts
    from mtd.model.polled import PolledTier
    from mtd.scheduler.account import Account
    from mtd.scheduler.parts import Parts, Tables

logger = logging.getLogger(__name__)


class Scheduler:
    """Runs a loop for each enabled device; follows the inventory without restart (S000-5.1c)."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._devices: dict[str, Device] = {}
        self._loops: dict[str, DeviceLoop] = {}
        self._running = TaskGroup("scheduler")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        for status in DeviceStatus:
            metrics.DEVICES.labels(status=status).set_function(partial(self._count, status))

    async def apply(self, devices: Iterable[Device]) -> None:
        """Make the running loops those of these devices. Unchanged devices aren't touched."""
        wanted = {device.device_id: device for device in devices}
        new = [device for key, device in wanted.items() if self._devices.get(key) != device]
        # Before anything is ended: what follows doesn't wait, so no device is left without its loop.
        tables = await self._load_tables([device.device_id for device in new if device.enabled])
        changed = [key for key, old in self._devices.items() if wanted.get(key) != old]
        await asyncio.gather(*(self._end(key) for key in changed))
        for device in new:
            self._devices[device.device_id] = device
            if device.enabled:
                self._begin(device, tables.get(device.device_id, {}))
            else:
                report = OutcomeReport(Outcome.OK, DeviceStatus.DISABLED, "", "switched off in the inventory")
                self._parts.recorder.record_outcome(device, report)

    async def stop(self) -> None:
        """End all loops and their sessions."""
        await asyncio.gather(*(self._end(key) for key in list(self._devices)))

    async def refresh_capabilities(self, device_id: str) -> ProbeFacts:
        """Probe a device now. NotFound if it isn't polled here; SessionFailed if it doesn't answer."""
        loop = self._loops.get(device_id)
        if loop is None:
            raise NotFound("this collector doesn't poll the device: it is unknown here or switched off")
        return await loop.refresh_capabilities()

    async def poll_now(self, device_id: str, tiers: frozenset[Tier]) -> list[PolledTier]:
        """Poll tiers of a device now; return what came of each, in their order.

        Raises NotFound if it isn't polled here, SessionFailed if it has no session or loses it, and PollTooSoon.
        """
        loop = self._loops.get(device_id)
        if loop is None:
            raise NotFound("this collector doesn't poll the device: it is unknown here or switched off")
        return await loop.poll_now(tiers)

    def accounts(self) -> list[tuple[Device, Account]]:
        """Return what each device that is polled has cost so far."""
        return [(loop.device, loop.account) for loop in self._loops.values()]

    def account(self, device_id: str) -> Account | None:
        """Return what a device has cost so far, None if it isn't polled."""
        loop = self._loops.get(device_id)
        return None if loop is None else loop.account

    def interface_names(self, device_id: str) -> dict[str, tuple[str, str]]:
        """Return names and labels of a device's interfaces, by their ids; none if it isn't polled, or wasn't yet."""
        loop = self._loops.get(device_id)
        return {} if loop is None else loop.interface_names()

    def statuses(self, tenant_id: str | None = None) -> Counter[DeviceStatus]:
        """Return how many devices have each status, of one tenant or of all."""

        def is_theirs(device: Device) -> bool:
            return tenant_id is None or device.tenant_id == tenant_id

        counts = Counter(loop.health.status for loop in self._loops.values() if is_theirs(loop.device))
        counts[DeviceStatus.DISABLED] = sum(map(is_theirs, self._devices.values())) - counts.total()
        return counts

    async def _load_tables(self, device_ids: Sequence[str]) -> Mapping[str, Tables]:
        """Return how things were called before; without the database polling begins without."""
        if not device_ids:
            return {}
        try:
            return await self._parts.load_tables(device_ids)
        except Retryable as error:
            metrics.TABLES_NOT_LOADED.inc(len(device_ids))
            logger.warning("polling begins without the names of before: %s", error)
            return {}

    def _count(self, status: DeviceStatus) -> float:
        return self.statuses()[status]

    def _begin(self, device: Device, tables: Tables) -> None:
        loop = DeviceLoop(device, self._parts, tables)
        self._loops[device.device_id] = loop
        self._tasks[device.device_id] = self._running.spawn(device.name, loop.run())
        logger.debug("polling %s at %s:%d", device.name, device.host, device.port)

    async def _end(self, device_id: str) -> None:
        self._devices.pop(device_id, None)
        self._loops.pop(device_id, None)
        task = self._tasks.pop(device_id, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
