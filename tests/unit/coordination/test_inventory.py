"""The inventory is followed, whatever the database does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mtd.coordination import inventory as module
from mtd.coordination.inventory import InventoryFeed
from mtd.core.errors import Retryable
from mtd.model.device import DEFAULT_TENANT_ID, Device
from mtd.storage.stores.polled import InventorySnapshot
from mtd.testing import run_async


def device(number: int) -> Device:
    return Device(
        device_id=f"00000000-0000-4000-8000-{number:012}",
        tenant_id=DEFAULT_TENANT_ID,
        name=f"router-{number}",
        host="192.0.2.1",
        port=8728,
        username="monitor",
        password="secret",
    )


@dataclass
class ScriptedStore:
    """An inventory whose reading fails as often as told."""

    devices: list[Device] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    redundant: frozenset[str] = frozenset()
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    watchers: int = 0

    async def watch(self) -> AsyncIterator[None]:
        self.watchers += 1
        try:
            yield
            while True:
                await self.changed.wait()
                self.changed.clear()
                yield
        finally:
            self.watchers -= 1

    async def snapshot(self) -> InventorySnapshot:
        if self.failures:
            raise self.failures.pop(0)
        return InventorySnapshot(list(self.devices), (), self.redundant)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.002)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    monkeypatch.setattr(module, "_FOLLOW_S", 0.01)


def feed_of(store: ScriptedStore, **given: Any) -> InventoryFeed:
    inventory: Any = store
    return InventoryFeed(inventory, **given)


def test_it_goes_on_after_every_kind_of_failure() -> None:
    async def run() -> None:
        store = ScriptedStore([device(1)], [Retryable("away"), ValueError("an odd row"), Retryable("away")])
        feed = feed_of(store)
        told: list[int] = []
        feed.listeners.append(lambda: told.append(len(feed.devices)))
        feed.start()
        await until(lambda: "can't be read" in feed.failure)
        assert not feed.is_known
        await until(lambda: feed.is_known)
        assert feed.failure == ""
        store.devices.append(device(2))
        store.changed.set()
        await until(lambda: told == [1, 2])
        await feed.stop()
        assert store.watchers == 0

    run_async(run())


def test_devices_of_a_tenant_that_is_switched_off_are_disabled() -> None:
    async def run() -> None:
        shut: set[str] = set()

        async def shut_tenants() -> set[str]:
            return shut

        store = ScriptedStore([device(1), replace(device(2), tenant_id="north")])
        feed = feed_of(store, shut_tenants=shut_tenants)
        feed.start()
        for expected, now in ((["router-1", "router-2"], set[str]()), (["router-1"], {"north"})):
            shut = now
            store.changed.set()
            await until(lambda: [one.name for one in feed.devices.values() if one.enabled] == expected)  # noqa: B023
        await feed.stop()

    run_async(run())


def test_devices_of_tenants_that_are_not_served_are_not_there() -> None:
    async def run() -> None:
        store = ScriptedStore([device(1), replace(device(2), tenant_id="north")])
        feed = feed_of(store, serves=lambda tenant_id: tenant_id == "north")
        feed.start()
        await until(lambda: [one.name for one in feed.devices.values()] == ["router-2"])
        await feed.stop()

    run_async(run())


def test_devices_know_that_two_poll_them() -> None:
    async def run() -> None:
        store = ScriptedStore([device(1), device(2)], redundant=frozenset({device(2).device_id}))
        feed = feed_of(store)
        feed.start()
        await until(lambda: [one.redundancy for one in feed.devices.values()] == [1, 2])
        await feed.stop()

    run_async(run())
