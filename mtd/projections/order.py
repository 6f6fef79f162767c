"""Which of two events of a device came first where it was polled, whatever order they reach the hub in."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


class Stand(NamedTuple):
    """Where an event stands: under which assignment of its device, in which log first and where, and when by its collector.

    Within a log, positions tell the order, and clocks don't matter.
    """

    epoch: int
    log_id: str
    seq: int
    collected_us: int

    def is_before(self, other: Stand) -> bool:
        """Return whether the other one came later."""
        if self.epoch != other.epoch:
            return self.epoch < other.epoch
        if self.log_id == other.log_id:
            return self.seq < other.seq
        return self.collected_us < other.collected_us


def stand_of(log_id: str, seq: int, envelope: Envelope) -> Stand:
    """Return where an event of a log stands, which may have come from another one."""
    if envelope.source_seq:
        log_id, seq = str(uuid.UUID(bytes=envelope.source_log_id)), envelope.source_seq
    return Stand(envelope.lease_epoch, log_id, seq, envelope.collected_at_us)


def in_order(one: Stand, other: Stand) -> int:
    """Compare, for ``functools.cmp_to_key``."""
    return -1 if one.is_before(other) else int(other.is_before(one))
