"""The collecting half polls what its seat assigns, and lets go of what it assigns no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyObject

from mtd.app import collecting as module
from mtd.app.collecting import Collecting
from mtd.app.config import Settings
from mtd.app.unreadable import UnreadableDevices
from mtd.coordination.interfaces import ISeat
from mtd.model.assignment import AssignedDevice, Assignment
from mtd.model.device import DEFAULT_TENANT_ID, Device, DeviceStatus
from mtd.model.metric import Tier
from mtd.model.observation import OutcomeReport
from mtd.plugin.manager import PluginManager
from mtd.storage.stores.polled import UnreadableDevice
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


@implementer(ISeat)
class ScriptedSeat:
    """A seat that assigns what it is told to."""

    collector_id = "here"

    def __init__(self) -> None:
        self.devices: list[Device] = []
        self.let_go: list[str] = []
        self.withdrawn: set[str] = set()
        self.changed = asyncio.Event()
        self.revision = 0

    def assign(self, *devices: Device) -> None:
        self.devices = list(devices)
        self.changed.set()

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""

    async def assignments(self) -> AsyncGenerator[Assignment, None]:
        while True:
            await self.changed.wait()
            self.changed.clear()
            self.revision += 1
            yield Assignment(self.revision, {one.device_id: AssignedDevice(one, 1) for one in self.devices})

    def may_poll(self, device_id: str) -> bool:
        return any(one.device_id == device_id for one in self.devices)

    def epoch_of(self, device_id: str) -> int:
        return 1

    def leaving(self) -> Collection[str]:
        return self.withdrawn

    async def released(self, device_ids: Collection[str]) -> None:
        self.let_go += sorted(device_ids)
        self.withdrawn.difference_update(device_ids)


class ListRecorder:
    """Keeps the reports that it is given."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, OutcomeReport, bool]] = []
        self.fence: object = None

    def record_outcome(self, device: Device, report: OutcomeReport, *, polled: bool = True) -> None:
        self.reports.append((device.name, report, polled))


class ListScheduler:
    """Keeps what it is told to poll."""

    made: list[ListScheduler] = []

    def __init__(self, parts: Any) -> None:
        self.parts = parts
        self.polled: list[str] = []
        self.stopped = False
        self.failures: list[Exception] = []
        ListScheduler.made.append(self)

    async def apply(self, devices: Sequence[Device]) -> None:
        assert not self.stopped
        if self.failures:
            raise self.failures.pop(0)
        self.polled = [one.name for one in devices if one.enabled]

    async def stop(self) -> None:
        await asyncio.sleep(0.02)
        self.stopped = True


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[[ScriptedSeat], Collecting]:
    monkeypatch.setattr(module, "Scheduler", ListScheduler)
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    ListScheduler.made = []

    async def no_tables(device_ids: Any) -> dict[str, Any]:
        return {}

    def collecting(seat: ScriptedSeat) -> Collecting:
        recorder: Any = ListRecorder()
        return Collecting(Settings(), recorder, seat, PluginManager.of(), no_tables)

    return collecting


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.002)


def test_the_seat_is_one() -> None:
    verifyObject(ISeat, ScriptedSeat())


def test_it_polls_what_is_assigned_and_lets_go_of_the_rest(
    make: Callable[[ScriptedSeat], Collecting],
) -> None:
    async def run() -> None:
        seat = ScriptedSeat()
        collecting = make(seat)
        collecting.start()
        scheduler = ListScheduler.made[0]
        seat.assign(device(1), device(2))
        await until(lambda: scheduler.polled == ["router-1", "router-2"])
        assert seat.let_go == []
        seat.assign(device(2), device(3))
        await until(lambda: scheduler.polled == ["router-2", "router-3"])
        await until(lambda: seat.let_go == [device(1).device_id])
        await collecting.stop()

    run_async(run())


def test_what_came_and_went_meanwhile_is_let_go_though_it_was_never_polled(
    make: Callable[[ScriptedSeat], Collecting],
) -> None:
    async def run() -> None:
        seat = ScriptedSeat()
        collecting = make(seat)
        collecting.start()
        # Not of what is polled now, whatever was withdrawn since.
        seat.withdrawn = {device(1).device_id, device(2).device_id}
        seat.assign(device(2))
        await until(lambda: seat.let_go == [device(1).device_id])
        assert ListScheduler.made[0].polled == ["router-2"]
        await collecting.stop()

    run_async(run())


def test_nothing_is_polled_or_recorded_that_the_seat_does_not_allow(
    make: Callable[[ScriptedSeat], Collecting],
) -> None:
    seat = ScriptedSeat()
    collecting = make(seat)
    recorder: Any = collecting._recorder
    assert recorder.fence is seat
    assert ListScheduler.made[0].parts.may_poll == seat.may_poll


def test_it_goes_on_after_an_error_of_its_own(make: Callable[[ScriptedSeat], Collecting]) -> None:
    async def run() -> None:
        seat = ScriptedSeat()
        collecting = make(seat)
        scheduler = ListScheduler.made[0]
        scheduler.failures.append(ValueError("an odd device"))
        collecting.start()
        seat.assign(device(1))
        await until(lambda: "an odd device" in collecting.failure)
        seat.assign(device(1))
        await until(lambda: scheduler.polled == ["router-1"])
        await until(lambda: collecting.failure == "")
        await collecting.stop()

    run_async(run())


def test_a_reload_polls_the_same_devices_by_other_settings(
    make: Callable[[ScriptedSeat], Collecting],
) -> None:
    async def run() -> None:
        seat = ScriptedSeat()
        collecting = make(seat)
        collecting.start()
        seat.assign(device(1))
        await until(lambda: ListScheduler.made[0].polled)
        await collecting.reload(Settings())
        first, second = ListScheduler.made
        assert (first.stopped, second.stopped) == (True, False)
        assert second.polled == ["router-1"]
        await collecting.stop()
        assert second.stopped

    run_async(run())


def test_a_reload_that_meets_the_stop_leaves_nothing_running(
    make: Callable[[ScriptedSeat], Collecting],
) -> None:
    async def run() -> None:
        seat = ScriptedSeat()
        collecting = make(seat)
        collecting.start()
        seat.assign(device(1))
        await until(lambda: ListScheduler.made[0].polled)
        await asyncio.gather(collecting.reload(Settings()), collecting.stop())
        await collecting.reload(Settings())
        assert all(scheduler.stopped for scheduler in ListScheduler.made)

    run_async(run())


def test_a_device_that_cannot_be_read_is_told_once() -> None:
    recorder: Any = ListRecorder()
    unreadable = UnreadableDevices(recorder)
    lost = UnreadableDevice(device(2).device_id, DEFAULT_TENANT_ID, "router-2", "set its password again")
    unreadable.report([lost])
    unreadable.report([lost])
    [(name, report, polled)] = recorder.reports
    assert (name, report.status, report.reason, polled) == (
        "router-2",
        DeviceStatus.DOWN,
        "set its password again",
        False,
    )
    unreadable.report([replace(lost, reason="another")])
    assert len(recorder.reports) == 2


def test_better_ways_of_devices_that_are_served_hold_up_no_device_that_is_not(
    make: Callable[[ScriptedSeat], Collecting],
) -> None:
    """A thousand routers whose API drops packets would take all places, five seconds each."""

    async def run() -> None:
        collecting = make(ScriptedSeat())
        parts = ListScheduler.made[-1].parts
        one, other = (parts.make_source(device(number)) for number in (1, 2))
        assert one._gate is other._gate
        assert one._gate.limit == Settings().scheduler.max_reconnecting
        assert one._gate not in (parts.retry_gate, parts.fresh_gate)
        await collecting.stop()

    run_async(run())


def test_how_often_is_the_devices_own_or_the_usual(make: Callable[[ScriptedSeat], Collecting]) -> None:
    collecting = make(ScriptedSeat())
    own = replace(device(1), intervals_s={Tier.T0: 5.0})
    assert collecting._interval_s(own, "t0") == 5.0
    assert collecting._interval_s(device(1), "t0") == Settings().scheduler.intervals_s.t0
    assert collecting._interval_s(device(1), "now and then") == 0.0
