"""Listeners of a process: what routers push."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.listeners.senders import normal_addresses
from mtd.listeners.syslog.service import SyslogService

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.ingest.recorder import Recorder
    from mtd.model.device import Device
    from mtd.model.sighting import Sighting

logger = logging.getLogger(__name__)

_ADDRESSES_S = 60.0

ReadAddresses = Callable[[], Awaitable[Mapping[str, Sequence[str]]]]


class Listening:
    """Listens if it is configured.

    ``read_addresses``: of the interfaces of devices, by id. Without it, at the edge, devices are known by their hosts alone.
    """

    def __init__(
        self,
        settings: Settings,
        recorder: Recorder,
        on_stranger: Callable[[Sighting], None],
        read_addresses: ReadAddresses | None = None,
    ) -> None:
        self._read_addresses = read_addresses
        self._tasks = TaskGroup("app.listening")
        self._syslog = (
            SyslogService(settings.syslog, recorder, on_stranger) if settings.syslog.enabled else None
        )

    def apply_devices(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        if self._syslog is not None:
            self._syslog.apply_devices(devices)

    async def start(self) -> None:
        """Begin. Raises Misconfigured if a port can't be had."""
        if self._syslog is not None:
            await self._syslog.start()
            if self._read_addresses is not None:
                self._tasks.spawn("addresses", self._follow_addresses(self._syslog, self._read_addresses))

    async def stop(self) -> None:
        """End; what was received is passed on."""
        await self._tasks.stop()
        if self._syslog is not None:
            await self._syslog.stop()

    async def _follow_addresses(self, syslog: SyslogService, read: ReadAddresses) -> None:
        while True:
            try:
                found = await read()
                syslog.apply_addresses(await asyncio.to_thread(normal_addresses, found))
            except MtdError as error:
                logger.warning("addresses of devices can't be read; those that are known stay: %s", error)
            await asyncio.sleep(_ADDRESSES_S)
