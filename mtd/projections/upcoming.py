"""What comes next: taken from the log and built while PostgreSQL writes what came before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from mtd.projections.batching import Batch, NumberedEvent
from mtd.projections.reader import ReadAhead

Build = Callable[[Sequence[Any], Sequence[NumberedEvent]], Awaitable[Batch]]


@dataclass(frozen=True, slots=True)
class Group:
    """Events of one transaction, and what projections make of them if that is built already."""

    events: Sequence[NumberedEvent]
    projections: Sequence[Any] = ()
    batch: Batch | None = None

    def behind(self, position: int) -> Group:
        """Return it without what a lane that stands at a position has written already."""
        if self.events[0][0] > position:
            return self
        return Group([(seq, envelope) for seq, envelope in self.events if seq > position])

    def built_for(self, projections: Sequence[Any]) -> Batch | None:
        """Return what these projections make of the events; None if it has to be built."""
        return self.batch if self.projections is projections else None


class Upcoming:
    """Groups of events, one after the other.

    Behind a backlog the next one is built while the one before is written, so
    that mtd and PostgreSQL work at the same time. Without one nothing is taken
    before its turn: what comes meanwhile still joins the next group.
    """

    def __init__(self, reader: ReadAhead, build: Build, most_events: int) -> None:
        self._reader = reader
        self._build = build
        self._most_events = most_events
        self._next: Group | None = None
        self._is_taken = False

    async def take(self) -> Group:
        """Return the next group; waits for its first event."""
        group, self._next = self._next, None
        return group or Group(await self._reader.take(self._most_events))

    @asynccontextmanager
    async def building(self, projections: Sequence[Any]) -> AsyncIterator[None]:
        """Build the next group meanwhile, if there is a whole one."""
        self._is_taken = False
        task = asyncio.ensure_future(self._build_next(projections))
        try:
            yield
            if self._is_taken:
                self._next = await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _build_next(self, projections: Sequence[Any]) -> Group:
        events = await self._reader.take_full(self._most_events)
        self._is_taken = True
        return Group(events, projections, await self._build(projections, events))
