"""How a device was over time, as the protocol shows it, and what was asked of it."""

from __future__ import annotations

from mtd.api.console_limits import DAY_S, LAST_US, MAX_HEALTH_S
from mtd.core.errors import Refused
from mtd.model.pb_enums import STATUS
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb
from mtd.queries.records import HealthHistory


def span_asked(request: pb.QueryHealthRequest, now_us: int) -> tuple[int, int]:
    """Return the time that is asked for, microseconds since the epoch; it ends now at the latest. Raises Refused."""
    seconds = request.seconds or DAY_S
    if seconds > MAX_HEALTH_S:
        raise Refused(f"{seconds} seconds are too many: at most {MAX_HEALTH_S}, which is 90 days")
    if not 0 <= request.end_us <= LAST_US:
        raise Refused("end_us is no time")
    end_us = request.end_us or now_us
    start_us = max(0, end_us - seconds * 1_000_000)
    return min(start_us, now_us), min(end_us, now_us)


def health_message(history: HealthHistory) -> pb.QueryHealthResponse:
    """Return how a device was as a message."""
    return pb.QueryHealthResponse(
        start_us=history.start_us,
        end_us=history.end_us,
        segments=[
            pb.HealthSegment(
                from_us=one.from_us, to_us=one.to_us, status=STATUS.to_pb(one.status), reason=one.reason
            )
            for one in history.segments
        ],
    )
