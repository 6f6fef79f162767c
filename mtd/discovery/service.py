"""Discovery as a part of the daemon: the listener, the scanner, and the end of old proposals."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup
from mtd.discovery import metrics
from mtd.discovery.listener import MndpListener
from mtd.discovery.scan import Scanner
from mtd.discovery.sightings import Sightings
from mtd.sources.tcp.reactor import default_reactor

if TYPE_CHECKING:
    from mtd.discovery.config import DiscoveryConfig
    from mtd.ingest.recorder import Recorder
    from mtd.model.sighting import Sighting
    from mtd.storage.stores.proposals import DecisionStore

logger = logging.getLogger(__name__)

_PRUNE_S = 3600.0
_DAY_S = 86_400.0


class DiscoveryService:
    """Listens if it is told to, and scans when somebody asks. All it finds is of one tenant.

    Without ``decisions``, at the edge, somebody else forgets old proposals.
    """

    def __init__(
        self,
        config: DiscoveryConfig,
        tenant_id: str,
        recorder: Recorder,
        decisions: DecisionStore | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        reactor: Any = None,
    ) -> None:
        reactor = reactor if reactor is not None else default_reactor()
        self._config = config
        self._tenant_id = tenant_id
        self._decisions = decisions
        self._sightings = Sightings(recorder, config, clock)
        self._tasks = TaskGroup("discovery")
        self.listener = MndpListener(config, self.seen, clock, reactor)
        self.scanner = Scanner(config, tenant_id, self._sightings, recorder, reactor, clock=clock)

    async def start(self) -> None:
        """Begin. Raises Misconfigured if the port of announcements can't be had."""
        if self._config.mndp:
            self.listener.start()
        if self._decisions is not None:
            self._tasks.spawn("prune", self._prune(self._decisions))

    async def stop(self) -> None:
        """End."""
        await self._tasks.stop()
        await self.listener.stop()
        await self.scanner.stop()

    def seen(self, sighting: Sighting) -> None:
        """Take what was seen, here or by others of this process."""
        self._sightings.seen(self._tenant_id, sighting)

    async def _prune(self, decisions: DecisionStore) -> None:
        while True:
            try:
                gone = await decisions.prune(self._config.keep_days * _DAY_S, self._config.max_proposals)
                metrics.PROPOSALS_PRUNED.inc(gone)
            except MtdError as error:
                logger.warning("old proposals stay for now: %s", error)
            await asyncio.sleep(_PRUNE_S)
