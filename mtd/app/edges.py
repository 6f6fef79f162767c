"""Devices that edges poll, for what callers ask of a hub."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from mtd.api.link.desk import LinkDesk
from mtd.api.link.reach import Reach
from mtd.core.errors import Retryable
from mtd.queries.pollers import PollerQueries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mtd.link.config import LinkConfig
    from mtd.model.metric import Tier
    from mtd.model.polled import PolledTier
    from mtd.queries.pollers import Poller
    from mtd.storage.pool import Database

_PROJECTED_WITHIN_S = 15.0
_LOOK_S = 0.3


class Edges:
    """Made before the doors: ``desk`` fills when edges come. ``own_id``: as which collector this process polls."""

    def __init__(self, writer: Database, config: LinkConfig, own_id: str) -> None:
        self._own_id = own_id
        self.desk = LinkDesk(config.max_links)
        self._pollers = PollerQueries(writer)
        self.reach = Reach(self.desk, self._pollers.of)

    async def elsewhere(self, device_id: str, tenant_id: str) -> Poller | None:
        """Return who polls a device; None if this process does, or nobody."""
        poller = await self._pollers.of(device_id, tenant_id)
        return None if poller is None or poller.collector_id == self._own_id else poller

    async def refresh(self, device_id: str, tenant_id: str) -> bool:
        """Have an edge probe a device, and wait until what it found is in PostgreSQL; false if no edge polls it.

        An edge may be long in sending: then what was known before is answered, and the rest comes by itself.
        """
        found = await self.reach.refresh(device_id, tenant_id)
        if found is None:
            return False
        await self._until_told(*found)
        return True

    async def poll(
        self, device_id: str, tenant_id: str, tiers: frozenset[Tier]
    ) -> Sequence[PolledTier] | None:
        """Have an edge poll a device, and wait until what it read is in PostgreSQL; None if no edge polls it."""
        found = await self.reach.poll(device_id, tenant_id, tiers)
        if found is None:
            return None
        polled, log_id, seq = found
        await self._until_told(log_id, seq)
        return polled

    async def _until_told(self, log_id: str, seq: int) -> None:
        """Wait until what an edge's log says is in PostgreSQL. What takes long comes by itself, later."""
        with suppress(TimeoutError, Retryable):
            async with asyncio.timeout(_PROJECTED_WITHIN_S):
                while True:
                    if await self._pollers.has_told(log_id, seq):
                        break
                    await asyncio.sleep(_LOOK_S)
