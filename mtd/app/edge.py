"""A collector at the edge: polls, keeps what routers told in its log, and copies that to its hub. No PostgreSQL."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtd import __version__
from mtd.api.access.gate import Gate
from mtd.api.http.access import ROUTES, Access, Doorkeeper
from mtd.api.http.server import HttpServer
from mtd.api.interfaces import ReadyCheck
from mtd.app.certificates import Certificates
from mtd.app.clock_watch import ClockWatch
from mtd.app.collecting import RELOADED, Collecting
from mtd.app.edge_interfaces import EdgeParts, Seating, TakeSeat
from mtd.app.edge_pages import ElsewherePages
from mtd.app.folder import STATUS_FILE, make_data_dir
from mtd.app.identity_files import Identity
from mtd.app.listening import Listening
from mtd.app.log_damage import DamageTeller
from mtd.app.pressing import pressure_of, ready_check
from mtd.app.process import Process
from mtd.app.renewal import HubClient
from mtd.app.seating import take_seat as take_seat_of_link
from mtd.client import MtdClientError
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Misconfigured
from mtd.core.log_fields import describe_process
from mtd.discovery.service import DiscoveryService
from mtd.eventlog.sqlite.log import SqliteEventLog
from mtd.forwarding.service import PIN, Forwarder
from mtd.ingest.recorder import Recorder
from mtd.model.observation import StateChange
from mtd.model.watching import started
from mtd.plugin.manager import PluginManager

if TYPE_CHECKING:
    from mtd.app.config import Settings

logger = logging.getLogger(__name__)

_STATUS_S = 2.0
_STATUS_AT_LEAST_S = 10.0
# What a hub is still given when the collector is told to stop.
_LAST_PUSH_S = 1.0
_HUBS_PIN = "projections"


class EdgeDaemon(Process):
    """Everything of a collector. ``start`` returns when it would poll what it is given.

    ``take_seat`` makes what tells it that; ``plugins`` are used instead of those that are installed.
    """

    reloaded = RELOADED | {"log"}

    def __init__(
        self, settings: Settings, plugins: PluginManager | None = None, take_seat: TakeSeat | None = None
    ) -> None:
        super().__init__(settings)
        self._given_plugins = plugins
        self._take_seat = take_seat or take_seat_of_link
        self._certificates = Certificates(settings)
        self._hub_target = ""
        self._seating: Seating | None = None
        self._recorder: Recorder | None = None
        self._untold: list[StateChange] = []

    async def start(self) -> None:
        """Start all parts. Raises Misconfigured if the operator has to change something first.

        A hub that is away isn't waited for: what is known to be polled is polled.
        """
        make_data_dir(self._settings.daemon.data_dir)
        http = await self._start_http()
        plugins = self._given_plugins or PluginManager.load(settings=self._settings.plugins)
        identity = await self._start_identity()
        describe_process(collector=identity.name)
        settings = self._settings.of_tenant(identity.tenant_ids[0])
        watched_until_us = await self._start_log(settings)
        self._recorder = recorder = Recorder(self._log, collector_id=identity.name, settings=settings.ingest)
        await self._start_forwarding(settings, identity, recorder)
        await self._begin("ingest", recorder.start(), recorder.stop)
        await self._start_watching(settings, identity, recorder)
        self._look_after_memory()
        if watched_until_us:
            now_us = SYSTEM_CLOCK.now_us()
            recorder.record_event(started(identity.name, watched_until_us, now_us))
        parts = EdgeParts(
            settings,
            identity,
            self._hubs,
            self._log,
            recorder,
            self._forwarder,
            plugins,
            self._pressure,
            lambda: None if self._collecting is None else self._collecting.scheduler,
        )
        await self._start_collecting(parts)
        self._tasks.spawn("status", self._tell_status())
        self._runtime.write("", 0, http.port)
        self._stages.waiting_for = ""
        logger.info("the collector %s is ready: HTTP on port %d", identity.name, http.port)

    def checks(self) -> Sequence[ReadyCheck]:
        """Return the state of each part, for ``/readyz``. While the hub is away, polling goes on all the same."""
        if self._stages.waiting_for:
            return [ReadyCheck("start", ready=False, reason=f"waiting for {self._stages.waiting_for}")]
        stats = self._log.stats()
        failure = "" if self._collecting is None else self._collecting.failure
        unseated = "" if self._seating is None else self._seating.failure()
        return [
            ReadyCheck("event log", stats.available, stats.reason),
            ready_check(self._pressure),
            ReadyCheck("hub", self._forwarder.connected, self._forwarder.failure),
            ReadyCheck("assignment", not unseated, unseated),
            ReadyCheck("polling", not failure, failure),
            *self._listening.checks(),
        ]

    # -- starting -------------------------------------------------------------

    async def _start_http(self) -> HttpServer:
        settings = self._settings
        await self._begin("certificates", self._certificates.start(), self._certificates.stop)
        http = HttpServer(
            self,
            settings.http,
            doorkeeper=Doorkeeper(Gate(trust_loopback=settings.security.trust_loopback), routes=_routes()),
            tls=self._certificates.http,
        )
        http.mount(ElsewherePages(settings.daemon.collector_id, lambda: self._hub_target))
        await self._begin("http", http.start(), http.stop)
        return http

    async def _start_identity(self) -> Identity:
        await self._begin(
            "identity",
            self._certificates.start_identity(self._tell),
            self._certificates.stop_identity,
        )
        keeper = self._certificates.keeper
        if keeper is None:
            raise Misconfigured(
                "this collector isn't known to a hub yet: there, run `mtd collector invite NAME`; here, run"
                " `mtd enroll --server HUB:PORT --token-file FILE` with the same configuration"
            )
        self._keeper = keeper
        self._hub_target = keeper.identity.target
        return keeper.identity

    def _tell(self, change: StateChange) -> None:
        """Record an event about this collector; one that comes before the log is open waits for it."""
        if self._recorder is None:
            self._untold.append(change)
        else:
            self._recorder.record_event(change)

    async def _start_log(self, settings: Settings) -> int:
        """Open the event log; return the time of its newest event, 0 if it has none."""
        config = settings.event_log.model_copy(update={"path": settings.event_log_path})
        self._log = SqliteEventLog(config)
        await self._begin("event log", self._log.start(), self._log.stop)
        stats = self._log.stats()
        if _HUBS_PIN in stats.consumers and PIN not in stats.consumers:
            raise Misconfigured(
                f"{settings.event_log_path} is the log of a daemon with a database of its own: give the collector"
                " another daemon.data_dir"
            )
        return stats.newest_us

    async def _start_forwarding(self, settings: Settings, identity: Identity, recorder: Recorder) -> None:
        self._hubs = HubClient(self._keeper, settings.hub.targets)
        await self._begin("hub", self._connect(), self._hubs.stop)
        self._forwarder = Forwarder(
            self._log,
            self._hubs,
            recorder,
            settings.forward,
            name=identity.name,
            home=identity.tenant_ids[0],
            version=__version__,
        )
        await self._begin("forwarding", self._forwarder.start(), lambda: self._forwarder.stop(_LAST_PUSH_S))

    async def _connect(self) -> None:
        try:
            await self._hubs.start()
        except MtdClientError as error:
            raise Misconfigured(str(error)) from None

    async def _start_watching(self, settings: Settings, identity: Identity, recorder: Recorder) -> None:
        """Look after the room that is left, the disk, the clock, and what announces itself."""
        self._pressure = pressure_of(
            settings, self._log, recorder, lambda: self._forwarder.backlog().seconds, identity.name
        )
        await self._begin("pressure", self._pressure.start(), self._pressure.stop)
        teller = DamageTeller(self._log, recorder, identity.name)
        await self._begin("damage of the log", teller.start(), teller.stop)
        watch = ClockWatch(identity.name, recorder.record_event)
        await self._begin("clock", watch.start(), watch.stop)
        for change in self._untold:
            recorder.record_event(change)
        discovery = DiscoveryService(settings.discovery, settings.ingest.own_tenant_id, recorder)
        await self._begin("discovery", discovery.start(), discovery.stop)
        self._listening = Listening(settings, recorder, discovery.seen, read_names=self._read_names)
        await self._begin("listeners", self._listening.start(), self._listening.stop)

    async def _read_names(self, _tenant_id: str, device_id: str) -> dict[str, tuple[str, str]]:
        """Return what the interfaces of a device are called: what polls here have seen."""
        return {} if self._collecting is None else self._collecting.scheduler.interface_names(device_id)

    async def _start_collecting(self, parts: EdgeParts) -> None:
        self._seating = seating = await self._take_seat(parts)
        await self._begin("seat", seating.start(), seating.stop)
        self._collecting = Collecting(
            parts.settings,
            parts.recorder,
            seating.seat,
            parts.plugins,
            seating.load_tables,
            seating.pseudonym_of,
            parts.pressure.factor,
            self._listening.apply_devices,
        )
        self._stages.add("polling", self._collecting.stop)
        self._collecting.start()

    async def _tell_status(self) -> None:
        """Write down now and then how forwarding is, for ``mtd collector status`` and ``mtd log stats``."""
        path = self._settings.daemon.data_dir / STATUS_FILE
        written, written_at = "", 0.0
        while True:
            text, now = json.dumps(dataclasses.asdict(self._forwarder.status())), SYSTEM_CLOCK.monotonic()
            if text != written or now - written_at > _STATUS_AT_LEAST_S:
                try:
                    await asyncio.to_thread(_write, path, text)
                    written, written_at = text, now
                except OSError as error:
                    logger.warning("%s can't be written: %s", path, error)
            await asyncio.sleep(_STATUS_S)


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _routes() -> dict[str, Access]:
    """Return who may have which page: nobody logs in here, so that the page that says so is open."""
    opened = ROUTES["/healthz"]
    return {**ROUTES, "/console/": opened}
