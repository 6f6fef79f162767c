"""Events of a hub's log that another hub's log has brought: this one's are in PostgreSQL on purpose not."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtd.model.ranges import SeqRanges

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


class Elsewhere:
    """``foreign``: what others have brought, by collector's log; ``own``: positions of this log that are its own all the same."""

    def __init__(self, foreign: Mapping[str, SeqRanges], own: SeqRanges) -> None:
        self._foreign = {uuid.UUID(log_id).bytes: ranges for log_id, ranges in foreign.items() if len(ranges)}
        self._own = own

    def has(self, seq: int, envelope: Envelope) -> bool:
        """Return whether another hub's log has brought an event."""
        position = envelope.source_seq
        if not position or envelope.source_log_id not in self._foreign or self._own.overlaps(seq, seq):
            return False
        return self._foreign[envelope.source_log_id].overlaps(position, position)
