"""One transaction: rows of all projections and their positions, or nothing."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from mtd.core import log_fields
from mtd.core.clock import Clock
from mtd.model.events import payload_kind
from mtd.projections import metrics
from mtd.projections.batching import Batch, NumberedEvent, build, dead_letter, origin_of
from mtd.projections.claims import Claims
from mtd.projections.config import ProjectionsConfig
from mtd.projections.errors import CantProject, Poisoned, PositionMoved
from mtd.projections.suspects import Suspects
from mtd.storage.pool import Database
from mtd.storage.stores.positions import DeadLetter, PositionStore
from mtd.storage.txn import Transaction

logger = logging.getLogger(__name__)

Committed = Callable[[Sequence[NumberedEvent], Sequence[NumberedEvent]], Awaitable[None]]
"""Told which events a transaction is done with, and which of them were projected: not those of another hub's log."""


class Committer:
    """Writes groups of events for a set of projections that share a position."""

    def __init__(
        self,
        db: Database,
        positions: PositionStore,
        claims: Claims,
        config: ProjectionsConfig,
        clock: Clock,
    ) -> None:
        self._db = db
        self._positions = positions
        self._claims = claims
        self._config = config
        self._clock = clock
        self._poisoned: dict[str, int] = {}  # events in a row that a projection could not take
        self._suspects = Suspects(clock)

    async def commit(
        self,
        projections: Sequence[Any],
        old: int,
        events: Sequence[NumberedEvent],
        committed: Committed,
        built: Batch | None = None,
    ) -> None:
        """Write events and move the position from ``old`` to the last of them.

        ``built``: what `build` made of just these events for just these projections.

        An event that PostgreSQL refuses is found by halving the group, stored as
        a dead letter, and left out by the projection that it breaks.
        ``committed`` is awaited after each transaction, with what it wrote: if
        the next one fails, that stays. An event that another hub's log has brought
        is left out. Raises PositionMoved, CommitUnknown,
        StorageUnavailable and CantProject.
        """
        try:
            kept = await self._transaction(projections, old, events, built=built)
        except Poisoned as poisoned:
            if len(events) > 1:
                metrics.BISECTIONS.inc()
                middle = len(events) // 2
                await self.commit(projections, old, events[:middle], committed)
                await self.commit(projections, events[middle - 1][0], events[middle:], committed)
                return
            kept = await self._commit_poisoned(projections, old, events, poisoned)
        await committed(events, kept)

    async def _commit_poisoned(
        self, projections: Sequence[Any], old: int, events: Sequence[NumberedEvent], first: Poisoned
    ) -> Sequence[NumberedEvent]:
        """Write one event without the projections that it breaks."""
        seq, envelope = events[0]
        dead: dict[str, DeadLetter] = {}
        poisoned: Poisoned | None = first
        kept: Sequence[NumberedEvent] = ()
        while poisoned is not None:
            name = poisoned.projection
            if not envelope.source_seq:
                self._judge(name, poisoned)
            if name in dead:
                raise poisoned  # it is excluded and fails all the same: not the event's fault
            dead[name] = dead_letter(name, seq, envelope, str(poisoned))
            try:
                kept = await self._transaction(projections, old, events, dead)
                poisoned = None
            except Poisoned as again:
                poisoned = again
        for name, letter in dead.items() if kept else ():
            if envelope.source_seq:
                # Whatever a collector sends must not stop the others.
                self._suspects.failed(name, envelope.tenant_id, letter.reason)
            else:
                self._poisoned[name] = self._poisoned.get(name, 0) + 1
            metrics.DEAD_LETTERS.labels(projection=name).inc()
            with log_fields.bound(**origin_of(seq, envelope)):
                logger.error(
                    "event %d can't be projected by %s, kept as a dead letter: %s", seq, name, letter.reason
                )
        return kept

    def _judge(self, name: str, poisoned: Poisoned) -> None:
        """Raise CantProject if the projection has taken none of many events."""
        limit = self._config.poisoned_in_a_row
        if limit and self._poisoned.get(name, 0) >= limit:
            raise CantProject(f"{name}: {limit} events in a row can't be projected, the last: {poisoned}")

    def _took(self, projections: Sequence[Any], events: Sequence[NumberedEvent]) -> None:
        """Note that these projections are well."""
        if self._poisoned:
            kinds = {payload_kind(envelope) for _, envelope in events}
            for projection in projections:
                if not kinds.isdisjoint(projection.kinds):
                    self._poisoned.pop(projection.name, None)

    async def _transaction(
        self,
        projections: Sequence[Any],
        old: int,
        events: Sequence[NumberedEvent],
        dead: dict[str, DeadLetter] | None = None,
        built: Batch | None = None,
    ) -> Sequence[NumberedEvent]:
        """Write events in one transaction; return those that weren't another hub's."""
        batch = whole = built or await self.build(projections, events, dead)
        wanted = self._claims.wanted(events)
        names = [projection.name for projection in projections]
        new = events[-1][0]

        async def write(tx: Transaction) -> None:
            nonlocal batch
            if not await self._positions.advance(tx, names, old, new):
                raise PositionMoved(f"{', '.join(names)}: not at {old} any more")
            kept = await self._claims.take(tx, events, wanted)
            batch = whole
            if len(kept) < len(events):
                batch = await self.build(projections, kept, dead)
                await batch.prepare()
            await batch.write(tx)
            if batch.dead:
                await self._positions.bury(tx, batch.dead)

        await whole.prepare()
        # Not waiting for the disk: position and rows are lost or kept together, and what
        # PostgreSQL loses with its last moments is projected again from the log, which
        # keeps it until it has settled (see ProjectionRunner).
        await self._db.run("projections.write", write, durable=False)
        batch.committed()
        metrics.BATCH_EVENTS.observe(len(events))
        metrics.EVENTS_ELSEWHERE.inc(len(events) - len(batch.events))
        for name, tenant_id, reason in batch.unfit:
            self._suspects.failed(name, tenant_id, reason)
        taking = [projection for projection in projections if not dead or projection.name not in dead]
        self._took(taking, batch.events)
        return batch.events

    async def build(
        self,
        projections: Sequence[Any],
        events: Sequence[NumberedEvent],
        dead: Mapping[str, DeadLetter] | None = None,
    ) -> Batch:
        """Return what projections make of events, without those that have a dead letter of the only event."""
        dead = dead or {}
        batch = await build(
            self._positions.log_id,
            events,
            projections,
            slice_s=self._config.slice_s,
            clock=self._clock,
            excluded=dead.keys(),
            suspected=self._suspects.now(),
        )
        if events:
            batch.dead += dead.values()
        return batch
