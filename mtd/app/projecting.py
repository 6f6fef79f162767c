"""From the event log to PostgreSQL: the projections, the partitions that they write to, and what makes blocks and sums of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mtd.api.interfaces import ReadyCheck
from mtd.app.log_damage import go_on_behind
from mtd.compaction.service import CompactionService
from mtd.flowsums.service import FlowSumsService
from mtd.listeners.syslog.reading import load_rules
from mtd.projections.ahead import Ahead
from mtd.projections.all import default_projections
from mtd.projections.runner import OnCommitted, ProjectionRunner
from mtd.projections.timeline import Timeline
from mtd.storage.partitions import Partitions
from mtd.storage.stores.flows import any_due
from mtd.storage.stores.positions import PositionStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from mtd.app.config import Settings
    from mtd.app.pools import Pools

logger = logging.getLogger(__name__)

# What the projections may still write down when the daemon is told to stop.
_CATCH_UP_S = 1.5


def timeline_of(settings: Settings) -> Timeline:
    """Return which log lines are events, by the rules for log lines. Raises Misconfigured if a file of them can't be used."""
    return Timeline.of(load_rules(settings.syslog.rules_file))


class Projecting:
    """The parts, in the order in which they are started: ``partitions``, ``prepare``, ``start``, ``compaction``, ``flow_sums``."""

    def __init__(self, settings: Settings, log: Any, pools: Pools, dsn: str) -> None:
        self._config = settings.projections
        self._log = log
        self._database = pools.writer
        self.partitions = Partitions(pools.owner, settings.database.partitions, settings.database.retention)
        self.compaction = CompactionService(dsn, settings.database)
        self.flow_sums = FlowSumsService(dsn, settings.database, partial(any_due, pools.writer))
        self._projections = default_projections(
            self.partitions, settings.projections, timeline=timeline_of(settings)
        )

    async def prepare(self) -> None:
        """See to it that the log gives no position anew that PostgreSQL knows; before anything is appended."""
        names = [one.name for one in self._projections]
        positions = await PositionStore(self._database, self._log.log_id).load(names)
        await go_on_behind(self._log, positions.values())

    async def start(self, committed: OnCommitted) -> None:
        """Begin to project. ``committed`` is called with what is in PostgreSQL."""
        self.runner = ProjectionRunner(
            self._log, self._database, self._projections, committed, config=self._config
        )
        await self.runner.start()

    async def stop(self) -> None:
        """Write down what the log has, as far as there is time."""
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                await self.wait()
        except TimeoutError:
            logger.info("the log is ahead of PostgreSQL; it will be projected after the next start")
        await self.runner.stop()

    async def wait(self) -> None:
        """Wait until all that is in the log now is in PostgreSQL."""
        await self.runner.wait_for(self._log.stats().last_seq)

    def behind_s(self) -> float:
        """Return by how many seconds PostgreSQL is behind the log."""
        return self.runner.behind().seconds

    def ahead(self, is_away: Callable[[], bool], committed: OnCommitted) -> Ahead:
        """Return what shows the newest values while history is behind, unless PostgreSQL is away."""

        def late_s() -> float:
            return 0.0 if is_away() else self.behind_s()

        return Ahead(self._log, self._database, late_s, committed, self._config)

    def checks(self) -> Sequence[ReadyCheck]:
        """Return the state of each part."""
        failures = {
            "projections": self.runner.failure,
            "partitions": self.partitions.making_failure,
            "retention": self.partitions.dropping_failure,
            "compaction": self.compaction.failure,
            "flow sums": self.flow_sums.failure,
        }
        return [ReadyCheck(name, not failure, failure) for name, failure in failures.items()]
