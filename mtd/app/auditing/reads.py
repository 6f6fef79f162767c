"""The audit log for the doors: read with the rights of doors, and looked at whole, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from mtd.app.auditing.verify import verify_chain
from mtd.core.errors import QuotaExceeded
from mtd.security.audit_anchor import AnchorFile
from mtd.security.audit_chain import AuditReport, Head, Link
from mtd.storage.audit_sql import AuditFilter
from mtd.storage.pool import Database
from mtd.storage.stores.audit_log import AuditStore

_LOOK_S = 0.5
_BUSY_RETRY_S = 10.0


class AuditReads:
    """See `AuditBackend`. ``doors``: the pool of doors; ``across``: for those who may read of all tenants."""

    def __init__(self, doors: Database, across: Database, dsn: str, anchors: AnchorFile) -> None:
        self._doors = AuditStore(doors)
        self._across = AuditStore(across)
        self._dsn = dsn
        self._anchors = anchors
        self._verifying = False

    async def newest_first(self, wanted: AuditFilter, limit: int, before: int | None) -> Sequence[Link]:
        """Return at most ``limit`` entries before a position, the newest first."""
        return await self._store_of(wanted).newest_first(wanted, limit, before)

    async def after(self, wanted: AuditFilter, limit: int, position: int) -> Sequence[Link]:
        """Return at most ``limit`` entries behind a position, in their order."""
        return await self._store_of(wanted).after(wanted, limit, position)

    def _store_of(self, wanted: AuditFilter) -> AuditStore:
        return self._across if wanted.tenant_id is None else self._doors

    async def verify(self, known: Sequence[Head]) -> AsyncGenerator[tuple[int, int] | AuditReport, None]:
        """Look at all entries; closing it ends that at the next look. Raises QuotaExceeded while one runs."""
        if self._verifying:
            raise QuotaExceeded("the audit log is being verified already", retry_after_s=_BUSY_RETRY_S)
        self._verifying = True
        counted = [(0, 0)]
        given_up = False

        def progress(done: int, total: int) -> None:
            counted[0] = (done, total)
            if given_up:
                raise _GivenUp

        work = asyncio.ensure_future(
            asyncio.to_thread(verify_chain, self._dsn, self._anchors, known=known, progress=progress)
        )
        work.add_done_callback(self._over)
        try:
            while not (await asyncio.wait([work], timeout=_LOOK_S))[0]:
                yield counted[0]
        finally:
            given_up = True
        yield work.result()

    def _over(self, work: asyncio.Future[AuditReport]) -> None:
        self._verifying = False
        if not work.cancelled():
            work.exception()  # nobody may be waiting for it any more


class _GivenUp(Exception):
    """Nobody wants the report any more."""
