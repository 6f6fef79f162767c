"""Ids of requests that nobody sends again any more leave, those of tenants that do nothing as well."""

from __future__ import annotations

import asyncio
import logging

from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.storage.pool import Database
from mtd.storage.stores.requests import prune_requests

logger = logging.getLogger(__name__)

_INTERVAL_S = 3600.0


class RequestPruner:
    """Deletes what is older than a day, each hour. ``database``: the writer's, which sees all tenants."""

    def __init__(self, database: Database, interval_s: float = _INTERVAL_S) -> None:
        self._database = database
        self._interval_s = interval_s
        self._tasks = TaskGroup("app.requests")

    async def start(self) -> None:
        """Begin."""
        self._tasks.spawn("prune", self._prune())

    async def stop(self) -> None:
        """End."""
        await self._tasks.stop()

    async def _prune(self) -> None:
        while True:
            try:
                await prune_requests(self._database)
            except MtdError as error:
                # It is done in an hour; until then there are some more.
                logger.warning("ids of old requests can't be removed now: %s", error)
            await asyncio.sleep(self._interval_s)
