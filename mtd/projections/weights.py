"""What an event weighs in a transaction, counted in ordinary ones: after an outage, hours of log lines may wait.

Ordinary is a frame, a change of a state, an outcome of a poll. One event of log lines holds hundreds of rows, and one of a
table megabytes; a transaction of thousands of those would take minutes, and all of the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

LINES_OF_AN_EVENT = 8
BYTES_OF_AN_EVENT = 4096
_LARGE_KINDS = frozenset({"log_batch", "flow_batch", "table_delta", "snapshot"})


def weight_of(envelope: Envelope) -> int:
    """Return how many ordinary events one is like, 1 at least. Takes as long as packing it, if it is of a large kind."""
    kind = envelope.WhichOneof("payload")
    if kind not in _LARGE_KINDS:
        return 1
    weight = envelope.ByteSize() // BYTES_OF_AN_EVENT
    if kind == "log_batch":
        weight = max(weight, len(envelope.log_batch.lines) // LINES_OF_AN_EVENT)
    return max(1, weight)


def first_of(events: Sequence[tuple[int, Envelope]], limit: int) -> Sequence[tuple[int, Envelope]]:
    """Return as many of the first events as weigh no more than a limit; at least one."""
    weight = 0
    for place, (_, envelope) in enumerate(events):
        weight += weight_of(envelope)
        if place and weight > limit:
            return events[:place]
    return events
