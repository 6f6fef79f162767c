"""Keeps the audit log: notes its end outside of PostgreSQL, and removes what is past its time."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from mtd.app.auditing import metrics
from mtd.app.auditing.config import AuditConfig
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.security.audit_anchor import AnchorFile
from mtd.storage.stores.audit_log import AuditStore

logger = logging.getLogger("mtd.audit")

_PRUNE_EVERY_S = 3600.0
_STOP_S = 1.0


class Upkeep:
    """Works in the background between ``start`` and ``stop``."""

    def __init__(
        self, store: AuditStore, anchors: AnchorFile, config: AuditConfig, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._store = store
        self._anchors = anchors
        self._config = config
        self._clock = clock
        self._tasks = TaskGroup("app.audit_upkeep")
        self._turn = asyncio.Lock()
        self._anchored = 0
        self._prune_at = float("-inf")

    async def start(self) -> None:
        """Begin; first look whether the end of the log is still there."""
        with contextlib.suppress(MtdError, OSError):  # said and counted where it is done next
            await self._look()
        self._tasks.spawn("upkeep", self._run())

    async def stop(self) -> None:
        """End, with a last anchor."""
        await self._tasks.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_S):
                await self.anchor()

    async def anchor(self) -> None:
        """Note the end of the log, if it has moved."""
        async with self._turn:
            await self._anchor()

    async def _anchor(self) -> None:
        try:
            head = await self._store.head()
            if head.position == self._anchored:
                return
            await asyncio.to_thread(self._anchors.append, head, self._clock.now_us())
        except (MtdError, OSError) as error:
            metrics.ANCHORS.labels(result="failed").inc()
            logger.warning("the end of the audit log could not be noted: %s", error)
            return
        self._anchored = head.position
        metrics.ANCHORS.labels(result="ok").inc()
        # Whoever collects logs elsewhere has an anchor there as well: `mtd audit verify --known` takes it.
        logger.info("the audit log ends at %d:%s", head.position, head.hash.hex())

    async def _run(self) -> None:
        while True:
            await self._prune()
            await self.anchor()
            await asyncio.sleep(self._config.anchor_interval_s)

    async def _prune(self) -> None:
        if self._clock.monotonic() < self._prune_at:
            return
        try:
            gone = 0
            while portion := await self._store.prune(self._clock.now_us(), self._config.keep_days):
                gone += portion
        except MtdError as error:
            logger.warning("old entries of the audit log could not be removed: %s", error)
            return
        self._prune_at = self._clock.monotonic() + _PRUNE_EVERY_S
        if gone:
            metrics.PRUNED.inc(gone)
            logger.info("removed %d entries of the audit log, past %d days", gone, self._config.keep_days)

    async def _look(self) -> None:
        """Say it loudly if the log doesn't reach to the newest anchor any more."""
        last = await asyncio.to_thread(self._anchors.last)
        head = await self._store.head()
        if last is None:
            return
        if last.head.chain_id != head.chain_id or last.head.position > head.position:
            metrics.ANCHORS.labels(result="mismatch").inc()
            logger.error(
                "the audit log ends at %d, and was noted to end at %d before: its end was cut off, or the database is"
                " another one or was restored. `mtd audit verify` tells more, `mtd audit accept` takes it as it is",
                head.position,
                last.head.position,
            )
