"""How the interfaces of a router are read and why, and what reading costs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mtd.api.interfaces import CostPage, DeviceCost, DeviceInterfaces
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import NotFound, Retryable
from mtd.model.metric import Tier
from mtd.queries.detail import DetailQueries
from mtd.queries.devices import DeviceQueries

if TYPE_CHECKING:
    from mtd.model.device import Device
    from mtd.scheduler.account import Account
    from mtd.scheduler.service import Scheduler
    from mtd.storage.pool import Database

# Devices whose costs are worked out without a pause: a few milliseconds.
_AT_ONCE = 10

IntervalsOf = Callable[[], Mapping[Tier, float]]


class Watching:
    """Reads what is stored of interfaces, and the accounts of the devices that are polled here."""

    def __init__(
        self, database: Database, scheduler: Callable[[], Scheduler | None], intervals_s: IntervalsOf
    ) -> None:
        self._devices = DeviceQueries(database)
        self._details = DetailQueries(database)
        self._scheduler = scheduler
        self._intervals_s = intervals_s

    async def interfaces(self, tenant_id: str, device: str) -> DeviceInterfaces:
        """Return the interfaces of a device, and the seconds between its polls by tier."""
        view = await self._devices.get(device, tenant_id)
        rows = await self._details.interfaces(view.device_id, tenant_id)
        return DeviceInterfaces(view, rows, {**self._intervals_s(), **view.settings.intervals_s})

    async def costs(self, tenant_id: str, device: str, page_size: int, after_name: str) -> CostPage:
        """Return what one device costs, or those behind a name in the order of their names."""
        scheduler = self._scheduler()
        if scheduler is None:
            raise Retryable("this daemon doesn't poll at the moment")
        polled = {
            one.device_id: (one, account)
            for one, account in scheduler.accounts()
            if one.tenant_id == tenant_id
        }
        if device:
            view = await self._devices.get(device, tenant_id)
            if view.device_id not in polled:
                raise NotFound(
                    f"{view.settings.name} isn't polled by this daemon: it is switched off, or another's"
                )
            return CostPage([_cost(*polled[view.device_id])])
        named = sorted((one.name, one.device_id) for one, _ in polled.values() if one.name > after_name)
        page: list[DeviceCost] = []
        for number, (_, device_id) in enumerate(named[:page_size]):
            page.append(_cost(*polled[device_id]))
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        return CostPage(page, page[-1].device_name if len(named) > page_size else "")


def _cost(device: Device, account: Account) -> DeviceCost:
    return DeviceCost(device.device_id, device.name, account.costs.hourly(SYSTEM_CLOCK.monotonic()))
