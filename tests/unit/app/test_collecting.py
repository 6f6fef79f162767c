"""The collecting half follows the inventory, whatever the database does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from mtd.app import collecting as module
from mtd.app.collecting import Collecting
from mtd.app.config import Settings
from mtd.core.errors import Retryable
from mtd.model.device import DEFAULT_TENANT_ID, Device, DeviceStatus
from mtd.model.observation import OutcomeReport
from mtd.plugin.manager import PluginManager
from mtd.storage.stores.polled import InventorySnapshot, UnreadableDevice
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
    unreadable: list[UnreadableDevice] = field(default_factory=list)
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
        return InventorySnapshot(list(self.devices), list(self.unreadable))


class ListRecorder:
    """Keeps the reports that it is given."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, OutcomeReport]] = []

    def record_outcome(self, device: Device, report: OutcomeReport) -> None:
        self.reports.append((device.name, report))


class ListScheduler:
    """Keeps what it is told to poll."""

    made: list[ListScheduler] = []

    def __init__(self, parts: Any) -> None:
        self.parts = parts
        self.polled: list[str] = []
        self.stopped = False
        ListScheduler.made.append(self)

    async def apply(self, devices: Sequence[Device]) -> None:
        assert not self.stopped
        self.polled = [one.name for one in devices if one.enabled]

    async def stop(self) -> None:
        await asyncio.sleep(0.02)
        self.stopped = True


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[[ScriptedStore], Collecting]:
    monkeypatch.setattr(module, "Scheduler", ListScheduler)
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    monkeypatch.setattr(module, "_FOLLOW_S", 0.01)
    ListScheduler.made = []

    async def no_tables(device_ids: Any) -> dict[str, Any]:
        return {}

    def collecting(store: ScriptedStore) -> Collecting:
        recorder: Any = ListRecorder()
        plugins = PluginManager.of()
        inventory: Any = store
        return Collecting(Settings(), recorder, inventory, plugins, no_tables, lambda devices: None)

    return collecting


def test_it_goes_on_after_every_kind_of_failure(make: Callable[[ScriptedStore], Collecting]) -> None:
    async def run() -> None:
        store = ScriptedStore([device(1)], [Retryable("away"), ValueError("an odd row"), Retryable("away")])
        collecting = make(store)
        collecting.start()
        await asyncio.sleep(0.005)
        assert "can't be read" in collecting.failure
        await asyncio.sleep(0.1)
        assert collecting.failure == ""
        assert ListScheduler.made[0].polled == ["router-1"]
        store.devices.append(device(2))
        store.changed.set()
        await asyncio.sleep(0.1)
        assert ListScheduler.made[0].polled == ["router-1", "router-2"]
        await collecting.stop()
        assert store.watchers == 0

    run_async(run())


def test_a_reload_polls_the_same_devices_by_other_settings(
    make: Callable[[ScriptedStore], Collecting],
) -> None:
    async def run() -> None:
        collecting = make(ScriptedStore([device(1)]))
        collecting.start()
        await asyncio.sleep(0.05)
        await collecting.reload(Settings())
        first, second = ListScheduler.made
        assert (first.stopped, second.stopped) == (True, False)
        assert second.polled == ["router-1"]
        await collecting.stop()
        assert second.stopped

    run_async(run())


def test_a_reload_that_meets_the_stop_leaves_nothing_running(
    make: Callable[[ScriptedStore], Collecting],
) -> None:
    async def run() -> None:
        collecting = make(ScriptedStore([device(1)]))
        collecting.start()
        await asyncio.sleep(0.05)
        await asyncio.gather(collecting.reload(Settings()), collecting.stop())
        await collecting.reload(Settings())
        assert all(scheduler.stopped for scheduler in ListScheduler.made)

    run_async(run())


def test_a_device_that_cannot_be_read_is_told_once(make: Callable[[ScriptedStore], Collecting]) -> None:
    async def run() -> None:
        lost = UnreadableDevice(device(2).device_id, DEFAULT_TENANT_ID, "router-2", "set its password again")
        store = ScriptedStore([device(1)], unreadable=[lost])
        collecting = make(store)
        collecting.start()
        await asyncio.sleep(0.05)
        store.changed.set()
        await asyncio.sleep(0.05)
        recorder: Any = collecting._recorder
        [(name, report)] = recorder.reports
        assert (name, report.status, report.reason) == (
            "router-2",
            DeviceStatus.DOWN,
            "set its password again",
        )
        await collecting.stop()

    run_async(run())


def test_better_ways_of_devices_that_are_served_hold_up_no_device_that_is_not(
    make: Callable[[ScriptedStore], Collecting],
) -> None:
    """A thousand routers whose API drops packets would take all places, five seconds each."""

    async def run() -> None:
        collecting = make(ScriptedStore())
        parts = ListScheduler.made[-1].parts
        one, other = (parts.make_source(device(number)) for number in (1, 2))
        assert one._gate is other._gate
        assert one._gate.limit == Settings().scheduler.max_reconnecting
        assert one._gate not in (parts.retry_gate, parts.fresh_gate)
        await collecting.stop()

    run_async(run())


def test_devices_of_a_tenant_that_is_switched_off_are_not_polled(
    make: Callable[[ScriptedStore], Collecting],
) -> None:
    async def run() -> None:
        shut: set[str] = set()

        async def shut_tenants() -> set[str]:
            return shut

        store = ScriptedStore([device(1), replace(device(2), tenant_id="north")], [])
        collecting = make(store)
        collecting._shut_tenants = shut_tenants
        collecting.start()
        scheduler = ListScheduler.made[0]
        for expected, now in ((["router-1", "router-2"], set()), (["router-1"], {"north"})):
            shut = now
            store.changed.set()
            async with asyncio.timeout(10):
                while scheduler.polled != expected:
                    await asyncio.sleep(0.002)
        await collecting.stop()

    run_async(run())
