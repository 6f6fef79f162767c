"""Keeps on the disk what an edge polls without a lease: whenever that changes, and before it is let go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from mtd.core.backoff import Backoff
from mtd.core.errors import MtdError
from mtd.link.kept import Kept
from mtd.link.metrics import KEPT_FAILURES

if TYPE_CHECKING:
    from mtd.link.holding import Holding
    from mtd.link.kept import KeptFile

logger = logging.getLogger(__name__)

Done = Callable[[int], Awaitable[None]]
"""Told the revision that survives a restart now."""


class Keeping:
    """Writes the newest, one at a time, in a thread."""

    def __init__(self, file: KeptFile, holding: Holding, collector_id: str) -> None:
        self._file = file
        self._holding = holding
        self._collector_id = collector_id
        self._wanted = asyncio.Event()
        self._kept: Kept | None = Kept()  # None: somebody else may have written to it
        self._owned = True
        self._version = 0
        self._done = asyncio.Condition()
        self._turn = asyncio.Lock()

    async def restore(self) -> None:
        """Hold what is on the disk, if it is this collector's."""
        await asyncio.to_thread(self._file.sweep)
        kept = await asyncio.to_thread(self._file.read)
        if kept.collector_id and kept.collector_id != self._collector_id:
            logger.warning("%s is of another collector, and isn't used", self._file.path)
            return
        if not kept.devices:
            return
        self._holding.restore(kept)
        self._kept, self._version = kept, self._holding.version
        logger.info("%d devices are polled without a lease until a hub answers", len(kept.devices))

    def wanted(self) -> None:
        """Something changed."""
        self._wanted.set()

    def disown(self) -> None:
        """Leave the file alone: another process may use it. Until something is told by a hub again."""
        self._owned, self._kept = False, None

    def own(self) -> None:
        """Use the file again."""
        self._owned = True

    async def run(self, done: Done) -> None:
        """Write what changed, again and again until it can be written."""
        backoff = Backoff(first_s=0.5, cap_s=30.0)
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            version, revision = self._holding.version, self._holding.assignment.revision
            try:
                if self._owned:
                    await self._write(self._holding.kept(self._collector_id))
            except Exception as error:
                KEPT_FAILURES.labels(what="write").inc()
                unexpected = not isinstance(error, OSError | MtdError)
                logger.error(
                    "what is polled without a lease can't be kept in %s: %s",
                    self._file.path,
                    error,
                    exc_info=unexpected,
                )
                # What is there names devices that others may have by now: better nothing.
                if await self.forget():
                    await self._settle(version)
                await asyncio.sleep(backoff.next_delay())
                self._wanted.set()
                continue
            backoff.reset()
            await self._settle(version)
            await done(revision)

    async def wait(self, version: int) -> None:
        """Wait until what is on the disk is as new as this."""
        async with self._done:
            await self._done.wait_for(lambda: self._version >= version)

    async def forget(self) -> bool:
        """Remove the file; return whether it is gone."""
        async with self._turn:
            try:
                await asyncio.to_thread(self._file.remove)
            except OSError as error:
                KEPT_FAILURES.labels(what="remove").inc()
                logger.error("%s can't be removed: %s", self._file.path, error)
                return False
            self._kept = Kept()
        return True

    async def _write(self, kept: Kept) -> None:
        async with self._turn:
            before = self._kept
            if before is not None and (kept.devices, kept.tenants) == (before.devices, before.tenants):
                return
            if kept.devices:
                await asyncio.to_thread(self._file.write, kept)
            else:
                await asyncio.to_thread(self._file.remove)
            self._kept = kept

    async def _settle(self, version: int) -> None:
        async with self._done:
            self._version = version
            self._done.notify_all()
