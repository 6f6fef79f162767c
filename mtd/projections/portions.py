"""What is told of committed events at a time: as much as holds the loop for about five milliseconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtd.projections.batching import NumberedEvent

MOST_EVENTS = 256
_LARGE_ROWS = 50
# Whoever keeps names of a table looks at all that he knows of it for each part of it: a millisecond, of 20,000 rows.
_LARGE_WEIGHT = 64


def portions(events: Sequence[NumberedEvent]) -> Iterator[Sequence[NumberedEvent]]:
    """Yield the events in order, in portions; parts of large tables count for many."""
    first = weight = 0
    for place, (_, envelope) in enumerate(events):
        large = (
            envelope.WhichOneof("payload") == "table_delta"
            and len(envelope.table_delta.upserted) > _LARGE_ROWS
        )
        own = _LARGE_WEIGHT if large else 1
        if place > first and weight + own > MOST_EVENTS:
            yield events[first:place]
            first, weight = place, 0
        weight += own
    if first < len(events):
        yield events[first:]
