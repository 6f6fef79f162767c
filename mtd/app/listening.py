"""Listeners of a process: what routers push."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from mtd.api.interfaces import ReadyCheck
from mtd.api.pushed_interfaces import Exporter, TooFast, UnknownSender
from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.listeners.flows.service import FlowsService
from mtd.listeners.senders import owners_of_addresses
from mtd.listeners.syslog.service import SyslogService
from mtd.listeners.traps.naming import ReadNames
from mtd.listeners.traps.service import TrapsService
from mtd.model.sighting import FoundBy
from mtd.storage.stores.addresses import addresses_of_devices
from mtd.storage.stores.interface_names import interface_names

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.ingest.recorder import Recorder
    from mtd.model.device import Device
    from mtd.model.sighting import Sighting
    from mtd.storage.pool import Database

logger = logging.getLogger(__name__)

_ADDRESSES_S = 60.0

ReadAddresses = Callable[[], Awaitable[Mapping[str, Sequence[str]]]]


class Listener(Protocol):
    """One kind of what routers push."""

    @property
    def failure(self) -> str:
        """What an operator has to look at; empty if all is well."""

    def apply_devices(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""

    def apply_addresses(self, owners: Mapping[str, Sequence[str]]) -> None:
        """Know the ids of devices by the addresses on their interfaces."""

    async def start(self) -> None:
        """Listen. Raises Misconfigured if a port can't be had."""

    async def stop(self) -> None:
        """End; what was received is passed on."""


class Listening:
    """Listens if it is configured.

    ``read_addresses``: of the interfaces of devices, by id. Without it, at the edge, devices are known by their hosts alone.
    ``read_names``: of a device's interfaces. Without it, those are known that traps tell.
    """

    def __init__(
        self,
        settings: Settings,
        recorder: Recorder,
        on_stranger: Callable[[Sighting], None],
        read_addresses: ReadAddresses | None = None,
        read_names: ReadNames | None = None,
    ) -> None:
        self._read_addresses = read_addresses
        self._tasks = TaskGroup("app.listening")
        self._listeners: list[Listener] = []
        self._started: list[Listener] = []
        self._syslog: SyslogService | None = None
        self._flows: FlowsService | None = None
        self._traps: TrapsService | None = None
        if settings.syslog.enabled:
            self._syslog = SyslogService(settings.syslog, recorder, on_stranger)
            self._listeners.append(self._syslog)
        if settings.flows.enabled:
            folder = settings.event_log_path.parent
            self._flows = FlowsService(settings.flows, recorder, folder, on_stranger)
            self._listeners.append(self._flows)
        if settings.traps.enabled:
            folder = settings.event_log_path.parent
            self._traps = TrapsService(settings.traps, recorder, folder, on_stranger, read_names)
            self._listeners.append(self._traps)

    def apply_devices(self, devices: Iterable[Device]) -> None:
        """Know these devices, and no others."""
        known = list(devices)
        for listener in self._listeners:
            listener.apply_devices(known)

    def checks(self) -> Sequence[ReadyCheck]:
        """Return the state of what listens, for ``/readyz``."""
        if not self._listeners:
            return ()
        failure = "; ".join(one.failure for one in self._listeners if one.failure)
        return (ReadyCheck("listeners", not failure, failure),)

    # -- what is shown of it: see `Pushed` ------------------------------------------

    @property
    def listening(self) -> Sequence[str]:
        """What is listened for."""
        return [name.value for name, listener in self._named if listener is not None]

    @property
    def _named(self) -> Sequence[tuple[FoundBy, SyslogService | FlowsService | TrapsService | None]]:
        return (
            (FoundBy.SYSLOG, self._syslog),
            (FoundBy.FLOWS, self._flows),
            (FoundBy.TRAPS, self._traps),
        )

    def exporters(self) -> Sequence[Exporter]:
        """Return those that sent flows, with what came of that."""
        flows = self._flows
        if flows is None:
            return []
        return [
            Exporter(address, flows.devices_of(address), dict(counts))
            for address, counts in flows.exporters.items()
        ]

    def too_fast(self) -> Sequence[TooFast]:
        """Return devices of which lines or traps were dropped, as they were too many."""
        return [
            TooFast(device, messages, found_by)
            for found_by, listener in ((FoundBy.SYSLOG, self._syslog), (FoundBy.TRAPS, self._traps))
            if listener is not None
            for device, messages in listener.too_fast
        ]

    def unknown_senders(self) -> Sequence[UnknownSender]:
        """Return senders that are nobody's device."""
        return [
            UnknownSender(
                one.address,
                one.name,
                one.lines,
                one.seen_us,
                found_by,
                bool(listener.devices_of(one.address)),
            )
            for found_by, listener in self._named
            if listener is not None
            for one in listener.strangers
        ]

    # -- its life --------------------------------------------------------------------

    async def start(self) -> None:
        """Begin. Raises Misconfigured if a port can't be had."""
        try:
            for listener in self._listeners:
                await listener.start()
                self._started.append(listener)
        except BaseException:
            await self.stop()
            raise
        if self._listeners and self._read_addresses is not None:
            self._tasks.spawn("addresses", self._follow_addresses(self._read_addresses))

    async def stop(self) -> None:
        """End; what was received is passed on."""
        await self._tasks.stop()
        started, self._started = self._started, []
        for listener in started:
            await listener.stop()

    async def _follow_addresses(self, read: ReadAddresses) -> None:
        known: Mapping[str, Sequence[str]] = {}
        while True:
            try:
                owners = await asyncio.to_thread(_owners, await read(), known)
                if owners is not known:
                    known = owners
                    for listener in self._listeners:
                        listener.apply_addresses(owners)
                        await asyncio.sleep(0)
            except MtdError as error:
                logger.warning("addresses of devices can't be read; those that are known stay: %s", error)
            await asyncio.sleep(_ADDRESSES_S)


def _owners(
    addresses: Mapping[str, Sequence[str]], before: Mapping[str, Sequence[str]]
) -> Mapping[str, Sequence[str]]:
    """Return who has which address: what was known before, if nothing changed. Takes tens of milliseconds where there are many."""
    now = owners_of_addresses(addresses)
    return before if now == before else now


def listening_beside(
    database: Database, settings: Settings, recorder: Recorder, on_stranger: Callable[[Sighting], None]
) -> Listening:
    """Return what listens where a database knows what devices have."""
    addresses, names = partial(addresses_of_devices, database), partial(interface_names, database)
    return Listening(settings, recorder, on_stranger, addresses, names)
