"""The set of device loops: it follows the inventory, and goes on without the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from mtd.core.errors import Retryable
from mtd.model.device import DeviceStatus
from mtd.plugin import Labels
from mtd.scheduler.service import Scheduler
from mtd.testing import run_async
from tests.unit.scheduler.test_device_loop import DEVICE, FACTS, Scene


def test_the_scheduler_follows_the_inventory() -> None:
    scene = Scene()
    tenant = "00000000-0000-4000-8000-0000000000ff"
    other = replace(DEVICE, device_id="00000000-0000-4000-8000-00000000000b", name="core-2", tenant_id=tenant)

    async def run() -> None:
        scheduler = Scheduler(scene.parts())
        scene.mapper.things.learn("iface", "*2", {"name": "ether2", "comment": "Fibre"}, Labels(), None)
        scene.tables = {other.device_id: {"interface": {"*1": {"name": "ether1"}}}}
        await scheduler.apply([DEVICE, other])
        await asyncio.sleep(0.1)
        assert scene.mapper.restored == {"interface": {"*1": {"name": "ether1"}}}
        assert scheduler.statuses()[DeviceStatus.UP] == 2
        await scheduler.apply([replace(DEVICE, enabled=False), other])
        await asyncio.sleep(0.05)
        assert scheduler.statuses()[DeviceStatus.UP] == 1
        assert +scheduler.statuses(tenant) == {DeviceStatus.UP: 1}
        assert +scheduler.statuses(DEVICE.tenant_id) == {DeviceStatus.DISABLED: 1}
        assert scene.recorder.outcomes[-1].status is DeviceStatus.DISABLED
        assert scheduler.interface_names(other.device_id) == {"*2": ("ether2", "ether2 (Fibre)")}
        assert scheduler.interface_names("unknown") == {}
        facts = await scheduler.refresh_capabilities(other.device_id)
        assert facts == FACTS
        await scheduler.stop()
        assert not scheduler.statuses()[DeviceStatus.UP]

    run_async(run())
    assert scene.source.closes == scene.source.connects == 2


def test_without_the_database_polling_goes_on() -> None:
    scene = Scene()

    async def away(device_ids: Iterable[str]) -> dict[str, Any]:
        raise Retryable("PostgreSQL is away")

    async def run() -> None:
        scheduler = Scheduler(replace(scene.parts(), load_tables=away))
        await scheduler.apply([DEVICE])
        await asyncio.sleep(0.05)
        await scheduler.apply([replace(DEVICE, port=8730)])
        await asyncio.sleep(0.1)
        assert scheduler.statuses()[DeviceStatus.UP] == 1
        await scheduler.stop()

    run_async(run())
    assert scene.source.connects == 2
