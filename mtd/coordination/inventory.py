"""All devices, as they are to be polled: read once for all who ask, and again when something changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mtd.core.errors import Retryable
from mtd.core.service import TaskGroup

if TYPE_CHECKING:
    from mtd.model.device import Device
    from mtd.storage.stores.polled import InventorySnapshot, PolledDevices, UnreadableDevice

logger = logging.getLogger(__name__)

_RETRY_S = 2.0
_FOLLOW_S = 0.5

ShutTenants = Callable[[], Awaitable[Collection[str]]]
"""Returns the ids of tenants that are switched off: their devices aren't polled."""


async def _none_shut() -> Collection[str]:
    return ()


def _as_polled(device: Device, inventory: InventorySnapshot, shut: Collection[str]) -> Device:
    if device.tenant_id in shut:
        device = replace(device, enabled=False)
    return replace(device, redundancy=2) if device.device_id in inventory.redundant else device


class InventoryFeed:
    """Follows the inventory. ``listeners`` are called whenever it was read.

    Devices of tenants that are switched off are disabled; those of tenants that this process doesn't serve aren't there.
    """

    def __init__(
        self,
        store: PolledDevices,
        shut_tenants: ShutTenants = _none_shut,
        serves: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._store = store
        self._shut_tenants = shut_tenants
        self._serves = serves
        self._tasks = TaskGroup("inventory")
        self.devices: Mapping[str, Device] = {}
        self.unreadable: Sequence[UnreadableDevice] = ()
        self.is_known = False
        """Whether it was read at all."""
        self.listeners: list[Callable[[], None]] = []
        self.failure = ""
        """Why changes of the inventory don't arrive at the moment; empty if they do."""

    def start(self) -> None:
        """Begin to follow."""
        self._tasks.spawn("follow", self._follow())

    async def stop(self) -> None:
        """Follow no more."""
        await self._tasks.stop()

    async def _follow(self) -> None:
        while True:
            try:
                changes: AsyncGenerator[None] = self._store.watch()
                async with contextlib.aclosing(changes):
                    async for _ in changes:
                        await self._take_until_taken()
                        # A thousand devices are added in a few steps, not in a thousand.
                        await asyncio.sleep(_FOLLOW_S)
            except Retryable as error:
                self._failed(f"changes of the inventory can't be followed: {error}")
            await asyncio.sleep(_RETRY_S)

    async def _take_until_taken(self) -> None:
        """Read what the inventory lists now. What is polled already goes on if that fails."""
        while True:
            try:
                await self._take()
            except Retryable as error:
                self._failed(f"the inventory can't be read: {error}")
            except Exception as error:
                logger.exception("the inventory can't be taken")
                self._failed(f"the inventory can't be taken, by an error of mtd: {error!r}")
            else:
                self.failure = ""
                return
            await asyncio.sleep(_RETRY_S)

    async def _take(self) -> None:
        inventory = await self._store.snapshot()
        shut = await self._shut_tenants()
        self.devices = {
            device.device_id: _as_polled(device, inventory, shut)
            for device in inventory.devices
            if self._serves(device.tenant_id)
        }
        self.unreadable = [one for one in inventory.unreadable if self._serves(one.tenant_id)]
        self.is_known = True
        for listener in self.listeners:
            listener()

    def _failed(self, failure: str) -> None:
        self.failure = failure
        logger.warning("%s", failure)
