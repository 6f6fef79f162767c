"""How a device was over time, as calls give it back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from mtd.client.values import moment, word
from mtd.pb.common.v1 import device_pb2
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class HealthSegment:
    """A time over which a device was the same, in microseconds since the epoch; ``to_us`` doesn't belong to it.

    ``status``: ``up``, ``degraded``, ``down``, ``disabled``, or ``unknown`` where mtd didn't watch it.
    """

    from_us: int
    to_us: int
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class HealthHistory:
    """How a device was from ``start`` on and before ``end``: segments in order, without gaps."""

    start: dt.datetime
    end: dt.datetime
    segments: Sequence[HealthSegment]


def health_of(message: pb.QueryHealthResponse) -> HealthHistory:
    """Return the health of the protocol."""
    segments = [
        HealthSegment(
            one.from_us,
            one.to_us,
            word(device_pb2.DeviceStatus, one.status, "DEVICE_STATUS_"),
            one.reason,
        )
        for one in message.segments
    ]
    return HealthHistory(moment(message.start_us), moment(message.end_us), segments)
