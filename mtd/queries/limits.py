"""How many queries of one tenant run at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from mtd.core.queues import Policy, declare
from mtd.queries import metrics
from mtd.queries.config import QueriesConfig
from mtd.queries.errors import TooManyQueries

TURNS = declare(
    "queries.turns",
    "queries",
    Policy.REFUSE,
    "Queries of tenants that run or wait, of those tenants that ask.",
    limited_by="queries.max_concurrent and queries.max_waiting, for each tenant",
    counted_by="mtd_queries_refused_total",
)


@dataclass(slots=True)
class _Turns:
    slots: asyncio.Semaphore
    here: int = field(default=0)  # that run or wait


class TenantLimits:
    """Lets some queries of each tenant run, some wait, and refuses the rest. Knows only tenants that ask."""

    def __init__(self, config: QueriesConfig) -> None:
        self._config = config
        self._turns: dict[str, _Turns] = {}
        TURNS.watch(self, lambda one: one._here(), lambda one: one._most())

    def _here(self) -> int:
        return sum(turns.here for turns in list(self._turns.values()))

    def _most(self) -> int:
        return len(self._turns) * (self._config.max_concurrent + self._config.max_waiting)

    @asynccontextmanager
    async def turn(self, tenant_id: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises TooManyQueries."""
        config = self._config
        turns = self._turns.get(tenant_id)
        if turns is None:
            turns = self._turns[tenant_id] = _Turns(asyncio.Semaphore(config.max_concurrent))
        if turns.here >= config.max_concurrent + config.max_waiting:
            metrics.REFUSED.inc()
            raise TooManyQueries(
                f"{config.max_concurrent} queries of this tenant run and {config.max_waiting} wait"
            )
        turns.here += 1
        try:
            async with turns.slots:
                yield
        finally:
            turns.here -= 1
            if not turns.here:
                del self._turns[tenant_id]
