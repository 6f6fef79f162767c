"""The audit log as a part of the daemon: started after the database, stopped before it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from mtd import __version__
from mtd.api.access.interfaces import Auditor
from mtd.api.grpc.admin.audit import audit_part
from mtd.api.grpc.server import ServicePart
from mtd.app.auditing.config import AuditConfig
from mtd.app.auditing.log import AuditLog
from mtd.app.auditing.reads import AuditReads
from mtd.app.auditing.upkeep import Upkeep
from mtd.app.pools import Pools
from mtd.core.errors import MtdError
from mtd.model.audit import OK, AuditEntry
from mtd.model.principal import CallerKind
from mtd.model.tenant import NO_TENANT_ID
from mtd.security.audit_anchor import FILE, AnchorFile
from mtd.security.keyfile import MasterKey
from mtd.storage.pool import Database
from mtd.storage.stores.audit_log import AuditStore

START = "daemon.start"
STOP = "daemon.stop"
RELOAD = "config.reload"
REFUSED = "FAILED_PRECONDITION"
_START_S = 5.0


class Auditing:
    """The log of what is done, and what keeps it. ``auditor`` is given to the doors."""

    def __init__(
        self, database: Database, data_dir: Path, config: AuditConfig, keys: Sequence[MasterKey]
    ) -> None:
        self.store = AuditStore(database)
        self._log = AuditLog(self.store, data_dir, config)
        self._anchors = AnchorFile(data_dir / FILE, keys)
        self._upkeep = Upkeep(self.store, self._anchors, config)
        self._running = False

    @property
    def auditor(self) -> Auditor:
        """Who takes entries."""
        return self._log

    @property
    def failure(self) -> str:
        """Why entries aren't in PostgreSQL; empty if they are."""
        return self._log.failure

    def service_parts(self, pools: Pools, dsn: str) -> Sequence[ServicePart]:
        """Return the service that reads the log."""
        reads = AuditReads(pools.doors, pools.across, dsn, self._anchors)
        return (audit_part(reads),)

    async def start(self) -> None:
        """Begin to write."""
        await self._log.start()
        await self._upkeep.start()

    async def started(self) -> None:
        """Write down that the daemon serves."""
        self._running = True
        entry = own_entry(START, detail={"version": __version__, "pid": str(os.getpid())})
        with contextlib.suppress(
            TimeoutError, MtdError
        ):  # told by /readyz, and no reason not to watch routers
            async with asyncio.timeout(_START_S):
                await self._log.record(entry)
                await self._upkeep.anchor()

    def reloaded(self, changed: Sequence[str]) -> None:
        """Write down that the configuration was read again, and which sections changed: never what to."""
        self._log.record(own_entry(RELOAD, detail={"changed": ", ".join(changed) or "nothing"}))

    def reload_refused(self, problems: int) -> None:
        """Write down that the configuration was read again, and could not be used."""
        self._log.record(own_entry(RELOAD, REFUSED, detail={"problems": str(problems)}))

    async def stop(self) -> None:
        """Write down that the daemon stops, if it had started, and all that was taken in."""
        if self._running:
            self._log.record(own_entry(STOP))
        await self._log.stop()
        await self._upkeep.stop()


def own_entry(action: str, outcome: str = OK, *, detail: dict[str, str] | None = None) -> AuditEntry:
    """Return the entry of a deed of the daemon itself."""
    return AuditEntry(
        action,
        outcome,
        NO_TENANT_ID,
        str(CallerKind.LOCAL),
        "mtd",
        peer=socket.gethostname(),
        detail=detail or {},
    )
