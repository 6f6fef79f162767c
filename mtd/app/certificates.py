"""Certificates in the daemon: its CA, TLS of its doors, and the collectors that it lets in."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtd.api.access.running import RunningCalls
from mtd.api.grpc.collectors import collector_parts
from mtd.api.loopback import is_loopback_host
from mtd.api.tls.config import ClientAuth, DoorTls, GrpcTls, TlsMode
from mtd.api.tls.material import FilesSource, InternalSource, LiveMaterial, Source
from mtd.app.collectors import Collectors
from mtd.app.enrolment import CollectorAdmin, Enrolment
from mtd.app.identity_files import IdentityFiles
from mtd.app.metrics import ORPHANS
from mtd.app.renewal import IdentityKeeper, Tell
from mtd.app.secrets import master_keys
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.security.ca import Revoked
from mtd.security.ca_store import AuthorityStore
from mtd.security.keyfile import MasterKey
from mtd.storage.stores.collectors import CollectorStore
from mtd.storage.stores.enrolments import EnrolmentStore

if TYPE_CHECKING:
    from mtd.api.access.interfaces import Auditor
    from mtd.api.grpc.server import ServicePart
    from mtd.app.config import Settings
    from mtd.app.tenancy import Tenancy
    from mtd.storage.pool import Database

logger = logging.getLogger(__name__)

_UPKEEP_S = 600.0
_CRL_S = 86_400.0
_RETRY_S = 60.0
_NAMED = 10
_KEPT_US = 90 * 86_400_000_000
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not listened on


class Certificates:
    """Made first: doors open with ``http`` and ``grpc``, which are None without TLS. Collectors come with the database."""

    def __init__(self, settings: Settings, clock: Clock = SYSTEM_CLOCK) -> None:
        self._settings = settings
        self._clock = clock
        self.authorities = authority_store(settings, clock)
        self.running = RunningCalls()
        self.http = self._live("http", settings.http.tls, settings.http.host)
        self.grpc = self._live("grpc", settings.grpc.tls, settings.grpc.host)
        self.collectors: Collectors | None = None
        self.keeper: IdentityKeeper | None = None
        self._tasks = TaskGroup("app.certificates")
        self._parts: Callable[[Callable[[], int]], list[ServicePart]] = lambda _: []

    async def start(self) -> None:
        """Have the certificates of the doors. Raises Misconfigured."""
        for live in (self.http, self.grpc):
            if live is not None:
                await live.start()

    async def stop(self) -> None:
        """Renew nothing any more."""
        await self._tasks.stop()
        for live in (self.http, self.grpc):
            if live is not None:
                await live.stop()

    async def start_collectors(
        self, doors: Database, writer: Database, tenancy: Tenancy, auditor: Auditor
    ) -> None:
        """Know the collectors, and let them in by their certificates."""
        config = self._settings.certificates
        enrolments = EnrolmentStore(writer)
        self.collectors = collectors = Collectors(
            enrolments, writer, tenancy.directory, self.running, self._clock
        )
        await collectors.start()
        await self._tell_of_orphans(collectors)
        tenancy.verifiers.insert(0, collectors)
        tenancy.forgetful.append(collectors.changed)
        tls = self._settings.grpc.tls
        admin = CollectorAdmin(
            CollectorStore(doors),
            enrolments,
            collectors,
            tenancy.directory,
            self.authorities,
            config,
            self._clock,
            takes_certificates=tls.on and tls.client_auth is not ClientAuth.NONE,
        )

        def parts(collector_port: Callable[[], int]) -> list[ServicePart]:
            enrolment = Enrolment(
                enrolments, collectors, self.authorities, auditor, config, collector_port, self._clock
            )
            return collector_parts(admin, enrolment)

        self._parts = parts
        self._tasks.spawn("upkeep", self._keep_up(enrolments))
        if config.crl_file is not None:
            self._tasks.spawn("crl", self._list_revoked(collectors, config.crl_file))

    async def stop_collectors(self) -> None:
        """Let no collector in any more."""
        if self.collectors is not None:
            await self.collectors.stop()

    async def start_identity(self, tell: Tell) -> None:
        """Look after this daemon's own certificate, if it has enrolled with a hub. Raises Misconfigured."""
        files = IdentityFiles(self._settings.identity_path)
        identity = await asyncio.to_thread(files.load)
        if identity is not None:
            targets = self._settings.hub.targets
            self.keeper = IdentityKeeper(files, identity, tell, self._clock, targets=targets)
            await self.keeper.start()

    async def stop_identity(self) -> None:
        """Look after it no more."""
        if self.keeper is not None:
            await self.keeper.stop()

    def parts(self, collector_port: Callable[[], int]) -> list[ServicePart]:
        """Return the services of collectors. ``collector_port`` is asked when somebody enrols."""
        return self._parts(collector_port)

    def _live(self, door: str, tls: DoorTls, host: str) -> LiveMaterial | None:
        if not tls.on:
            return None
        return LiveMaterial(door, self._source(door, tls, host), tls.reload_interval_s, self._clock)

    def _source(self, door: str, tls: DoorTls, host: str) -> Source:
        more = tls.client_ca_file if isinstance(tls, GrpcTls) else None
        if tls.mode is TlsMode.INTERNAL:
            return InternalSource(self.authorities, door, door_names(tls.names, host), more)
        assert tls.certificate_file is not None
        assert tls.key_file is not None
        return FilesSource(tls.certificate_file, tls.key_file, self.authorities, more)

    async def _tell_of_orphans(self, collectors: Collectors) -> None:
        """Say so where collectors can't come in, because the CA that signed their certificates is lost."""
        trusted = {one.facts.fingerprint for one in await asyncio.to_thread(self.authorities.all)}
        orphans = collectors.orphans(trusted)
        ORPHANS.set(len(orphans))
        if orphans:
            logger.error(
                "%d collectors have certificates of a CA that isn't in %s, and can't come in (%s): restore that folder from"
                " its backup, or invite them again",
                len(orphans),
                self._settings.authority_path,
                ", ".join(orphans[:_NAMED]),
            )

    async def _keep_up(self, enrolments: EnrolmentStore) -> None:
        """Forget what expired long ago, and seal the CA's key with the newest master key."""
        while True:
            try:
                await enrolments.forget(self._clock.now_us() - _KEPT_US)
                await asyncio.to_thread(self.authorities.seal_again)
            except MtdError as error:
                logger.warning("looking after certificates: %s", error)
            await asyncio.sleep(_UPKEEP_S)

    async def _list_revoked(self, collectors: Collectors, path: Path) -> None:
        """Write the CRL whenever something was revoked, and often enough that it is never too old."""
        changed = asyncio.Event()
        collectors.listen(changed.set)
        written: list[Revoked] | None = None
        while True:
            changed.clear()
            revoked = collectors.revoked()
            try:
                if revoked != written:
                    await asyncio.to_thread(self.authorities.write_crl, path, revoked)
                    written = revoked
                async with asyncio.timeout(_CRL_S):
                    await changed.wait()
            except TimeoutError:
                written = None
            except MtdError as error:
                logger.warning("can't list what was revoked: %s", error)
                await asyncio.sleep(_RETRY_S)


def authority_store(settings: Settings, clock: Clock = SYSTEM_CLOCK) -> AuthorityStore:
    """Return the internal CA of a configuration, whether or not it was made yet."""
    folder = settings.authority_path

    def keys() -> Sequence[MasterKey]:
        # Of a new installation, nothing can be sealed yet that another key would have to open.
        return master_keys(settings, may_make=_is_new(settings)).all

    return AuthorityStore(folder, settings.certificates, keys, clock)


def door_names(names: Sequence[str], host: str) -> list[str]:
    """Return all names by which a door may be called."""
    own = [] if host in _EVERYWHERE or is_loopback_host(host) else [host]
    machine = socket.gethostname()
    return list(dict.fromkeys([*names, *own, machine, "localhost", "127.0.0.1", "::1"]))


def _is_new(settings: Settings) -> bool:
    data_dir: Path = settings.daemon.data_dir
    elsewhere = bool(settings.database.read_dsn())
    return not elsewhere and not (data_dir / "postgres").exists() and not settings.event_log_path.exists()
