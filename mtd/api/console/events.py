"""The newest events as text, for all consoles. One stream of the feed serves them all."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Collection
from contextlib import aclosing
from dataclasses import dataclass

from mtd.api.console import metrics
from mtd.api.console.encode import encode
from mtd.api.errors import StreamsClosed
from mtd.api.grpc.event_feed import EventFeeds, EventFilter
from mtd.api.grpc.globs import Globs
from mtd.api.interfaces import TelemetryBackend
from mtd.core.errors import MtdError
from mtd.model.device import Severity
from mtd.model.evidence import UNKNOWN, WORDS
from mtd.queries.records import StoredEvent

logger = logging.getLogger(__name__)

KEPT = 512
AT_ONCE = 100

_ALL = EventFilter((), Globs(()), Severity.INFO)
_FAILURE_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Reached:
    """How far someone was told of events: which position, and how many had come by then."""

    position: int = -1
    taken: int = 0


class EventTail:
    """Events since the first console opened. Bound: 512; policy: the oldest leave."""

    def __init__(self, telemetry: TelemetryBackend, feeds: EventFeeds, tenant_id: str) -> None:
        self._telemetry = telemetry
        self._feeds = feeds
        self._tenant_id = tenant_id
        self._tail: deque[tuple[int, str, str]] = deque(maxlen=KEPT)  # position, device, text
        self._floor = 0  # of what left, the newest
        self._taken = 0
        self.position = -1
        """Of the newest event that is here or was before; -1 as long as that isn't known."""

    async def follow(self) -> None:
        """Take in new events, until the feeds close."""
        while True:
            try:
                if self.position < 0:
                    self.position = self._floor = await self._telemetry.event_position(self._tenant_id)
                events = self._feeds.events(self._tenant_id, _ALL, self.position, until_now=False)
                async with aclosing(events):
                    async for event in events:
                        self._take(event)
            except StreamsClosed:
                return
            except (MtdError, TimeoutError) as error:
                metrics.READ_FAILURES.labels(what="events").inc()
                logger.warning("consoles get no new events at the moment: %s", error)
                await asyncio.sleep(_FAILURE_PAUSE_S)

    def since(self, position: int | None) -> Reached:
        """Return where someone stands who read all events up to a position; None: who begins now."""
        if position is None:
            return Reached(self.position, self._taken)
        newer = sum(1 for at, _, _ in self._tail if at > position)
        return Reached(position, self._taken - newer)

    def misses(self, reached: Reached) -> bool:
        """Whether there are events behind that point that aren't here: they have to be read."""
        return 0 <= reached.position < self._floor

    def has_news(self, reached: Reached) -> bool:
        """Whether `after` has anything to tell."""
        return reached.taken != self._taken or self.misses(reached)

    def after(self, reached: Reached, devices: Collection[str] | None) -> tuple[list[str], Reached]:
        """Return events behind a point, of some devices or of all, and how far they reach.

        What left before a slow console was told is counted; it may read it.
        """
        left = self._taken - len(self._tail)
        metrics.EVENTS_SKIPPED.inc(max(0, left - reached.taken))
        found: list[str] = []
        for number, (at, device_id, text) in enumerate(self._tail, left + 1):
            if at > reached.position and (devices is None or device_id in devices):
                found.append(text)
                if len(found) == AT_ONCE:
                    return found, Reached(at, number)
        # Who read may be ahead of what came here.
        return found, Reached(max(self.position, reached.position), self._taken)

    def _take(self, event: StoredEvent) -> None:
        if len(self._tail) == KEPT:
            self._floor = self._tail[0][0]
        self._tail.append((event.position, event.device_id, encode(event_object(event))))
        self._taken += 1
        self.position = event.position


def event_object(event: StoredEvent) -> dict[str, object]:
    """Return an event as the console shows it."""
    return {
        "position": event.position,
        "t_us": event.collected_us,
        "device_id": event.device_id or None,
        "device": event.device_name,
        "type": event.event_type,
        "severity": event.severity.value,
        "entity_type": event.entity_type,
        "entity_id": event.entity_id,
        "entity": event.entity_label,
        "field": event.field,
        "old": event.old,
        "new": event.new,
        "message": event.message,
        "evidences": [
            {
                "source": UNKNOWN if one.source is None else WORDS[one.source],
                "t_us": one.collected_us,
                "after_us": one.after_first_us,
                "message": one.message,
            }
            for one in event.evidences
        ],
        "replaces": event.replaces,
    }
