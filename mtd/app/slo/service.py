"""Looks at the fleet again and again, and tells how well the promises are kept."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from mtd.app.slo import metrics
from mtd.app.slo.acceptance import Acceptance
from mtd.app.slo.config import SloConfig
from mtd.app.slo.skew import CLOCK, Skews, ahead_of
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.model.slo import Count, Objective, ServiceLevel, Window
from mtd.storage.errors import CommitUnknown
from mtd.storage.stores.service_levels import Look, ServiceLevelStore, tenants_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mtd.ingest.recorder import Recorder

logger = logging.getLogger(__name__)

_SHARE_OF_INTERVAL = 0.9  # another hub's look is so old at least
_GAP_INTERVALS = 3
_TOLD_S, _FORGET_S = 60.0, 3600.0
_NOTHING = Count(0.0, 0.0)


class ServiceLevels:
    """Counts what is promised. Of several hubs that share a database, one looks at a time.

    ``interval_s``: how often routers are polled at the live tier, unless they are set otherwise.
    """

    def __init__(
        self,
        store: ServiceLevelStore,
        recorder: Recorder,
        config: SloConfig,
        interval_s: float,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._skews = Skews(recorder, config.clock_skew_s)
        self._acceptance = Acceptance()
        every_s = config.look_interval_s
        self._by = Look(
            every_s,
            every_s * _SHARE_OF_INTERVAL,
            interval_s,
            every_s * _GAP_INTERVALS,
            config.detect_within_s,
        )
        self._owed = _NOTHING
        self._tasks = TaskGroup("app.slo")

    async def start(self) -> None:
        """Begin to look."""
        for objective, target in self._config.targets.items():
            metrics.TARGET.labels(objective=objective).set(target)
        self._tasks.spawn("look", self._every(self._config.look_interval_s, self.look))
        self._tasks.spawn("tell", self._every(_TOLD_S, self.tell))
        self._tasks.spawn("forget", self._every(_FORGET_S, self.forget))

    async def stop(self) -> None:
        """Look no more."""
        await self._tasks.stop()

    async def look(self) -> None:
        """Count once. What can't be stored now is stored with the next look."""
        taken = self._acceptance.take()
        self._owed = Count(self._owed.good + taken.good, self._owed.total + taken.total)
        own = {Objective.ACCEPTANCE: self._owed} if self._owed.total else {}
        try:
            looked = await self._store.look(self._by, own)
        except CommitUnknown:
            self._owed = _NOTHING  # it may be stored: rather one less than one twice
            raise
        self._owed = _NOTHING
        if looked:
            self._skews.tell(await self._store.turn_skewed(self._config.clock_skew_s))
        asked_us = self._clock.now_us()
        server_us = await self._store.server_us()
        ahead_s = ahead_of(server_us, asked_us, self._clock.now_us())
        metrics.CLOCK_AHEAD.set(ahead_s)
        self._skews.look_at(CLOCK, ahead_s)

    async def levels(self, tenant_id: str) -> Sequence[ServiceLevel]:
        """Return how well the promises are kept, for a tenant."""
        return self._levels(await self._store.sums(tuple(tenants_of(tenant_id))))

    async def tell(self) -> None:
        """Set the metrics: of all tenants."""
        for level in self._levels(await self._store.sums(None)):
            for window, count in level.counts.items():
                rate = level.burn_rate(window)
                metrics.GOOD.labels(objective=level.objective, window=window).set(_or_nan(count.ratio))
                metrics.BURN.labels(objective=level.objective, window=window).set(_or_nan(rate))
            metrics.BUDGET_LEFT.labels(objective=level.objective).set(_or_nan(level.budget_left))

    async def forget(self) -> None:
        """Delete what is old."""
        await self._store.forget(self._config.keep_days)

    def _levels(self, sums: Mapping[Objective, Mapping[Window, Count]]) -> Sequence[ServiceLevel]:
        nothing = dict.fromkeys(Window, _NOTHING)
        return [
            ServiceLevel(objective, target, sums.get(objective, nothing))
            for objective, target in self._config.targets.items()
        ]

    async def _every(self, interval_s: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(interval_s)
            try:
                await work()
            except MtdError as error:
                metrics.LOOK_FAILURES.inc()
                logger.debug("service levels: %s", error)


def _or_nan(value: float | None) -> float:
    """Return a figure for a gauge: without one it must not stand where it was."""
    return math.nan if value is None else value
