"""The collecting half of a process: a scheduler, kept equal to what its seat assigns."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from mtd.app.ways import way_makers, way_retries
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.limits import Gate
from mtd.core.service import TaskGroup
from mtd.model.metric import Tier
from mtd.scheduler.first_readings import FirstReadings
from mtd.scheduler.parts import Parts
from mtd.scheduler.service import Scheduler
from mtd.sources.config_login import with_config_login
from mtd.sources.ways import WaysSource

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mtd.app.config import Settings
    from mtd.coordination.interfaces import ISeat
    from mtd.ingest.recorder import Recorder
    from mtd.model.assignment import Assignment
    from mtd.model.device import Device
    from mtd.plugin.manager import PluginManager
    from mtd.scheduler.parts import LoadTables, Pace
    from mtd.security.pseudonyms import Pseudonym

logger = logging.getLogger(__name__)

# Settings that a reload takes at once.
RELOADED = frozenset({"scheduler", "t0", "routeros_api", "rest", "snmp"})

_RETRY_S = 2.0
_TIERS = frozenset(map(str, Tier))


class Collecting:
    """Polls what its seat assigns."""

    def __init__(
        self,
        settings: Settings,
        recorder: Recorder,
        seat: ISeat,
        plugins: PluginManager,
        load_tables: LoadTables,
        pseudonym_of: Callable[[str], Pseudonym | None] = lambda _: None,
        pace: Pace | None = None,
        on_devices: Callable[[Sequence[Device]], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._seat = seat
        self._plugins = plugins
        self._load_tables = load_tables
        self._pseudonym_of = pseudonym_of  # by tenant
        self._pace = pace
        self._on_devices = on_devices  # hears of what is polled here
        self._devices: Sequence[Device] = ()
        self._tasks = TaskGroup("collecting")
        self._turn = asyncio.Lock()  # a reload and a change of the assignment may meet
        self._stopped = False
        recorder.fence = seat
        recorder.interval_s_of = self._interval_s
        self.scheduler = self._make_scheduler()
        self.failure = ""
        """Why what is assigned isn't polled at the moment; empty if it is."""

    def start(self) -> None:
        """Begin to follow the seat and to poll."""
        self._tasks.spawn("assignments", self._follow())

    async def stop(self) -> None:
        """End following, polling and all sessions."""
        self._stopped = True
        await self._tasks.stop()
        async with self._turn:
            await self.scheduler.stop()

    async def reload(self, settings: Settings) -> None:
        """Poll by other settings: all sessions are opened anew."""
        async with self._turn:
            if self._stopped:
                return
            self._settings = settings
            await self.scheduler.stop()
            self.scheduler = self._make_scheduler()
            await self.scheduler.apply(self._devices)

    def _interval_s(self, device: Device, poll_group: str) -> float:
        if poll_group not in _TIERS:
            return 0.0  # at no fixed pace
        tier = Tier(poll_group)
        return device.intervals_s.get(tier) or self._settings.scheduler.intervals_s.of(tier)

    def _make_scheduler(self) -> Scheduler:
        settings = self._settings
        intervals = {tier: settings.scheduler.intervals_s.of(tier) for tier in Tier}
        makers, retries = way_makers(settings, self._plugins), way_retries(settings.scheduler)
        # Devices that another way serves can wait: they must not hold up those that nothing serves.
        way_gate = Gate("better_way", settings.scheduler.max_reconnecting)
        return Scheduler(
            Parts(
                settings=settings.scheduler,
                clock=SYSTEM_CLOCK,
                recorder=self._recorder,
                make_source=lambda device: with_config_login(
                    WaysSource(device, makers, retries=retries, gate=way_gate), makers
                ),
                make_mapper=lambda device: self._plugins.mapper(
                    device,
                    t0=settings.t0,
                    intervals_s=intervals,
                    pseudonym=self._pseudonym_of(device.tenant_id),
                ),
                load_tables=self._load_tables,
                fresh_gate=Gate("connect", settings.scheduler.max_connecting),
                retry_gate=Gate("reconnect", settings.scheduler.max_reconnecting),
                first_readings=FirstReadings(settings.scheduler.max_first_readings),
                may_poll=self._seat.may_poll,
                pace=self._pace,
            )
        )

    async def _follow(self) -> None:
        while True:
            try:
                assignments: AsyncGenerator[Assignment] = self._seat.assignments()
                async with contextlib.aclosing(assignments):
                    async for assignment in assignments:
                        await self._take(assignment)
            except Exception as error:
                logger.exception("what is to be polled can't be taken")
                self.failure = f"what is to be polled can't be taken, by an error of mtd: {error!r}"
            await asyncio.sleep(_RETRY_S)

    async def _take(self, assignment: Assignment) -> None:
        """Poll what is assigned now, and let go of what isn't any more."""
        devices = [one.device for one in assignment.devices.values()]
        async with self._turn:
            gone = {device.device_id for device in self._devices}.difference(assignment.devices)
            self._devices = devices
            self._on_devices(devices)
            await self.scheduler.apply(devices)
        # What came and went while something else was taken isn't polled either.
        gone |= set(self._seat.leaving()).difference(assignment.devices)
        if gone:
            await self._seat.released(gone)
        self.failure = ""
