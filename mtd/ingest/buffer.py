"""Events between a poll and the log: bounded, ordered, and losing the least urgent first."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.core.queues import Policy, declare
from mtd.model.metric import Tier

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


class Urgency(enum.IntEnum):
    """What is given up last (0) and first, when there is no room for all."""

    CONTROL = 0  # layouts, states, outcomes, capabilities: rare, and others make no sense without them
    T0 = 1
    T1 = 2
    T2 = 3
    T3 = 4

    @classmethod
    def of_poll_group(cls, poll_group: str) -> Urgency:
        """Return the urgency of what a poll group brought. T1 if the group is no tier."""
        return _BY_POLL_GROUP.get(poll_group, cls.T1)


_BY_POLL_GROUP = {tier.value: Urgency[tier.name] for tier in Tier}


BUFFER = declare(
    "ingest.buffer",
    "events",
    Policy.DROP_LEAST,
    "Events that were observed, on their way to the log.",
    limited_by="ingest.buffer_events, ingest.buffer_bytes",
    counted_by="mtd_ingest_dropped_events_total",
)


@dataclass(slots=True)
class Entry:
    """Events that are recorded and lost together. ``ticket`` is their place in the order."""

    ticket: int
    urgency: Urgency
    envelopes: Sequence[Envelope]
    size: int


class Buffer:
    """Entries in the order they came, bounded in events and bytes.

    Policy when full: the oldest entries of the least urgent kind are given up,
    and returned to be counted. What was taken but isn't settled yet counts as
    held, and is not given up.
    """

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._lanes: tuple[deque[Entry], ...] = tuple(deque() for _ in Urgency)
        self._taken: dict[int, Entry] = {}
        self.last_ticket = 0
        self.events = 0
        self.size = 0
        BUFFER.watch(self, lambda one: one.events, lambda one: one._max_events)

    @property
    def fill(self) -> float:
        """How full it is, 0 to 1."""
        return min(1.0, max(self.events / self._max_events, self.size / self._max_bytes))

    @property
    def oldest_ticket(self) -> int | None:
        """The oldest entry that is held, or None if nothing is."""
        held = [lane[0].ticket for lane in self._lanes if lane]
        if self._taken:
            held.append(next(iter(self._taken)))
        return min(held, default=None)

    def add(self, urgency: Urgency, envelopes: Sequence[Envelope], size: int) -> list[Entry]:
        """Add events; return what had to be given up for them, which may be themselves."""
        self.last_ticket += 1
        self._lanes[urgency].append(Entry(self.last_ticket, urgency, envelopes, size))
        self.events += len(envelopes)
        self.size += size
        lost: list[Entry] = []
        while self.events > self._max_events or self.size > self._max_bytes:
            lane = next((lane for lane in reversed(self._lanes) if lane), None)
            if lane is None:
                break  # all that is held is on its way to the log
            lost.append(self._release(lane.popleft()))
        return lost

    def take(self, max_events: int, max_bytes: int) -> list[Entry]:
        """Take the oldest entries, at least one, up to a number of events and bytes. See ``settle``."""
        taken: list[Entry] = []
        events = size = 0
        while filled := [lane for lane in self._lanes if lane]:
            lane = min(filled, key=lambda lane: lane[0].ticket)
            events += len(lane[0].envelopes)
            size += lane[0].size
            if taken and (events > max_events or size > max_bytes):
                break
            entry = lane.popleft()
            self._taken[entry.ticket] = entry
            taken.append(entry)
        return taken

    def settle(self, entries: Sequence[Entry]) -> None:
        """Let go of entries that were taken."""
        for entry in entries:
            self._release(self._taken.pop(entry.ticket))

    def clear(self) -> list[Entry]:
        """Give everything up, also what was taken; return it to be counted."""
        lost = [*self._taken.values(), *(entry for lane in self._lanes for entry in lane)]
        self._taken.clear()
        for lane in self._lanes:
            lane.clear()
        self.events = self.size = 0
        return lost

    def _release(self, entry: Entry) -> Entry:
        self.events -= len(entry.envelopes)
        self.size -= entry.size
        return entry
