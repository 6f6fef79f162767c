"""One transaction: rows of all projections and their positions, or nothing."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any

from mtd.core.clock import Clock
from mtd.projections import metrics
from mtd.projections.batching import NumberedEvent, build, dead_letter
from mtd.projections.config import ProjectionsConfig
from mtd.projections.errors import Poisoned, PositionMoved
from mtd.storage.pool import Database
from mtd.storage.stores.positions import DeadLetter, PositionStore
from mtd.storage.txn import Transaction

logger = logging.getLogger(__name__)


class Committer:
    """Writes groups of events for a set of projections that share a position."""

    def __init__(
        self, db: Database, positions: PositionStore, config: ProjectionsConfig, clock: Clock
    ) -> None:
        self._db = db
        self._positions = positions
        self._config = config
        self._clock = clock

    async def commit(self, projections: Sequence[Any], old: int, events: Sequence[NumberedEvent]) -> int:
        """Write events and move the position from ``old`` to the last of them; return that.

        An event that PostgreSQL refuses is found by halving the group, stored as
        a dead letter, and left out by the projection that it breaks. Raises
        PositionMoved, CommitUnknown and StorageUnavailable.
        """
        try:
            return await self._transaction(projections, old, events)
        except Poisoned as poisoned:
            if len(events) == 1:
                return await self._commit_poisoned(projections, old, events, poisoned)
            metrics.BISECTIONS.inc()
            middle = len(events) // 2
            position = await self.commit(projections, old, events[:middle])
            return await self.commit(projections, position, events[middle:])

    async def _commit_poisoned(
        self, projections: Sequence[Any], old: int, events: Sequence[NumberedEvent], first: Poisoned
    ) -> int:
        """Write one event without the projections that it breaks."""
        seq, envelope = events[0]
        dead: dict[str, DeadLetter] = {}
        poisoned = first
        while True:
            name = poisoned.projection
            if name in dead:
                raise poisoned  # it is excluded and fails all the same: not the event's fault
            metrics.DEAD_LETTERS.labels(projection=name).inc()
            logger.error("event %d can't be projected by %s, kept as a dead letter: %s", seq, name, poisoned)
            dead[name] = dead_letter(name, seq, envelope, str(poisoned))
            try:
                return await self._transaction(projections, old, events, dead)
            except Poisoned as again:
                poisoned = again

    async def _transaction(
        self,
        projections: Sequence[Any],
        old: int,
        events: Sequence[NumberedEvent],
        dead: dict[str, DeadLetter] | None = None,
    ) -> int:
        excluded: Collection[str] = dead or ()
        batch = await build(
            self._positions.log_id,
            events,
            projections,
            slice_s=self._config.slice_s,
            clock=self._clock,
            excluded=excluded,
        )
        batch.dead += (dead or {}).values()
        names = [projection.name for projection in projections]
        new = events[-1][0]

        async def write(tx: Transaction) -> None:
            if not await self._positions.advance(tx, names, old, new):
                raise PositionMoved(f"{', '.join(names)}: not at {old} any more")
            await batch.write(tx)
            if batch.dead:
                await self._positions.bury(tx, batch.dead)

        await batch.prepare()
        # Not waiting for the disk: position and rows are lost or kept together, and what
        # PostgreSQL loses with its last moments is projected again from the log, which
        # keeps it until it has settled (see ProjectionRunner).
        await self._db.run("projections.write", write, durable=False)
        metrics.BATCH_EVENTS.observe(len(events))
        return new
