"""Frames as rows: encoded once for all projections that store them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.model.events import frame_counters
from mtd.projections.errors import OutOfBounds
from mtd.storage import literals
from mtd.storage.stores.frames import FrameRow

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


class FrameEncoder:
    """Rows of the frames of one batch, by ``seq``."""

    def __init__(self) -> None:
        self._rows: dict[int, FrameRow] = {}
        self.stored: frozenset[int] = frozenset()
        """Which frames were written to ``telemetry_frame`` in this transaction, by ``seq``."""

    def row(self, seq: int, envelope: Envelope) -> FrameRow:
        """Return the row of a frame."""
        row = self._rows.get(seq)
        if row is None:
            row = self._rows[seq] = _encode(seq, envelope)
        return row


def _encode(seq: int, envelope: Envelope) -> FrameRow:
    frame = envelope.frame
    # A packed field becomes an array in one copy, without a Python number for each value.
    if frame.counters_present:
        counters = literals.numbers(frame_counters(frame))
    else:
        counters = literals.numbers(np.array(frame.counters, dtype=np.int64))
    low = frame.low_confidence
    return FrameRow(
        envelope.tenant_id,
        envelope.device_id,
        seq,
        frame.layout_id,
        envelope.collected_at_us,
        envelope.received_at_us,
        min(frame.poll_duration_us, 2**31 - 1),
        counters,
        literals.numbers(np.array(frame.gauges, dtype=np.float64)),
        literals.numbers(np.array(frame.rates, dtype=np.float32)),
        literals.numbers([position + 1 for position in low]) if low else "{}",
        envelope.lease_epoch,
    )


class TimeBounds:
    """Which times of events make sense.

    A collector whose clock runs ahead would otherwise pin ``latest`` to a time
    that never comes.
    """

    def __init__(self, max_ahead_s: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._ahead_us = int(max_ahead_s * 1e6)
        self._clock = clock

    def now_us(self) -> int:
        """Return what time it is."""
        return self._clock.now_us()

    def check(self, envelope: Envelope) -> None:
        """Raise OutOfBounds for an event from the future."""
        if envelope.collected_at_us <= envelope.received_at_us:
            return  # the usual case, decided without a look at the clock
        reference = envelope.received_at_us or self._clock.now_us()
        if envelope.collected_at_us > reference + self._ahead_us:
            raise OutOfBounds("future")
