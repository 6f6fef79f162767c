"""The collecting half of the daemon: a scheduler, kept equal to the inventory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mtd.app.config import RoleName
from mtd.app.ways import way_makers, way_retries
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Retryable
from mtd.core.limits import Gate
from mtd.core.service import TaskGroup
from mtd.model.device import Device, DeviceStatus, Outcome
from mtd.model.metric import Tier
from mtd.model.observation import OutcomeReport
from mtd.scheduler.device_loop import Parts
from mtd.scheduler.service import Scheduler
from mtd.sources.config_login import with_config_login
from mtd.sources.ways import WaysSource

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mtd.app.config import Settings
    from mtd.ingest.recorder import Recorder
    from mtd.plugin.manager import PluginManager
    from mtd.scheduler.device_loop import LoadTables
    from mtd.security.pseudonyms import Pseudonym
    from mtd.storage.stores.polled import PolledDevices, UnreadableDevice

logger = logging.getLogger(__name__)

# Settings that a reload takes at once.
RELOADED = frozenset({"scheduler", "t0", "routeros_api", "rest", "snmp"})

_RETRY_S = 2.0
_FOLLOW_S = 0.5


ShutTenants = Callable[[], Awaitable[Collection[str]]]
"""Returns the ids of tenants that are switched off: their devices aren't polled."""


async def _none_shut() -> Collection[str]:
    return ()


class Collecting:
    """Polls what the inventory lists, unless this is a hub. ``on_devices`` hears of its devices before that.

    Devices of tenants that are switched off are disabled; those of tenants that this process doesn't serve aren't there.
    """

    def __init__(
        self,
        settings: Settings,
        recorder: Recorder,
        store: PolledDevices,
        plugins: PluginManager,
        load_tables: LoadTables,
        on_devices: Callable[[Sequence[Device]], None],
        pseudonym_of: Callable[[str], Pseudonym | None] = lambda _: None,
        shut_tenants: ShutTenants = _none_shut,
        serves: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._settings = settings
        self._recorder = recorder
        self._store = store
        self._plugins = plugins
        self._load_tables = load_tables
        self._on_devices = on_devices
        self._pseudonym_of = pseudonym_of  # by tenant
        self._shut_tenants = shut_tenants
        self._serves = serves
        self._polls = settings.daemon.role is not RoleName.HUB
        self._devices: Sequence[Device] = ()
        self._tasks = TaskGroup("collecting")
        self._turn = asyncio.Lock()  # a reload and a change of the inventory may meet
        self._stopped = False
        self._unreadable: dict[str, str] = {}  # reason by device id, as reported last
        self.scheduler = self._make_scheduler()
        self.failure = ""
        """Why changes of the inventory don't arrive at the moment; empty if they do."""

    def start(self) -> None:
        """Begin to follow the inventory and to poll."""
        self._tasks.spawn("inventory", self._follow())

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
            )
        )

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
        """Poll what the inventory lists now. What is polled already goes on if that fails."""
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
        devices = [
            replace(device, enabled=False) if device.tenant_id in shut else device
            for device in inventory.devices
            if self._serves(device.tenant_id)
        ]
        self._on_devices(devices)
        self._report_unreadable([one for one in inventory.unreadable if self._serves(one.tenant_id)])
        async with self._turn:
            self._devices = devices if self._polls else ()
            await self.scheduler.apply(self._devices)

    def _report_unreadable(self, unreadable: Sequence[UnreadableDevice]) -> None:
        """Put on the timeline of each device why it isn't polled; once, until that changes."""
        reasons = {one.device_id: one.reason for one in unreadable}
        for one in unreadable:
            if self._unreadable.get(one.device_id) == one.reason:
                continue
            # Only who it is: how to reach it can't be known, and it isn't tried.
            device = Device(one.device_id, one.tenant_id, one.name, "", 0, "", "", enabled=False)
            report = OutcomeReport(Outcome.LOGIN_FAILED, DeviceStatus.DOWN, "", one.reason)
            self._recorder.record_outcome(device, report)
        self._unreadable = reasons

    def _failed(self, failure: str) -> None:
        self.failure = failure
        logger.warning("%s", failure)
