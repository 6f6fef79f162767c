"""Behind the door of diagnostics: tools as they run, and what of earlier runs is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Collection, Sequence
from typing import TYPE_CHECKING

from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.diagnostics.record import KIND_PREFIX, kind_of
from mtd.queries.runs import RunQueries, StoredRun
from mtd.storage.stores.runs import forget_runs

if TYPE_CHECKING:
    from mtd.diagnostics.config import DiagnosticsConfig
    from mtd.diagnostics.performing import RunEnd
    from mtd.diagnostics.plans import Wish
    from mtd.diagnostics.runner import ToolRunner
    from mtd.diagnostics.tools import ToolRow
    from mtd.model.principal import Principal
    from mtd.storage.pool import Database

logger = logging.getLogger(__name__)

_DAY_S = 86_400.0
_FORGET_EVERY_S = 3600.0


class Diagnostics:
    """See `DiagnosticsBackend`. Forgets old runs once an hour."""

    def __init__(
        self, runner: ToolRunner, readers: Database, writer: Database, config: DiagnosticsConfig
    ) -> None:
        self._runner = runner
        self._runs = RunQueries(readers)
        self._writer = writer
        self._config = config
        self._tasks = TaskGroup("app.tools")

    def start(self) -> None:
        """Begin to forget."""
        self._tasks.spawn("forget runs", self._forget())

    async def stop(self) -> None:
        """End all runs."""
        await self._tasks.stop()
        await self._runner.stop()

    async def quota_used(self, tenant_id: str) -> tuple[float | None, str]:
        """Return how many runs a tenant has begun within the last hour."""
        return self._runner.runs_within_hour(tenant_id), "within the last hour, since this daemon started"

    def run(
        self, tenant_id: str, device: str, wish: Wish, caller: Principal
    ) -> AsyncGenerator[Sequence[ToolRow] | RunEnd, None]:
        """Yield rows, and at last the end."""
        return self._runner.run(tenant_id, device, wish, caller)

    async def runs(
        self, tenant_id: str, device: str, tools: Collection[str], limit: int, before_us: int
    ) -> Sequence[StoredRun]:
        """Return runs that ended before a time, the newest first."""
        kinds = [kind_of(tool) for tool in tools]
        return await self._runs.runs(device, kinds, limit=limit, before_us=before_us, tenant_id=tenant_id)

    async def _forget(self) -> None:
        while True:
            try:
                await forget_runs(self._writer, KIND_PREFIX, self._config.keep_days * _DAY_S)
            except MtdError as error:
                logger.warning("old runs of tools can't be deleted, tried again in an hour: %s", error)
            await asyncio.sleep(_FORGET_EVERY_S)
