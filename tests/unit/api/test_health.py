"""Which time of a device's health is asked for, and how it is told."""

from __future__ import annotations

import pytest

from mtd.api.grpc.health import health_message, span_asked
from mtd.client.health import HealthSegment, health_of
from mtd.core.errors import Refused
from mtd.model.device import DeviceStatus
from mtd.pb.telemetry.v1.telemetry_service_pb2 import QueryHealthRequest
from mtd.queries import records

SECOND = 1_000_000
NOW = 1_795_000_000 * SECOND
DAY = 86_400 * SECOND


def asked(seconds: int = 0, end_us: int = 0) -> tuple[int, int]:
    return span_asked(QueryHealthRequest(device="r1", seconds=seconds, end_us=end_us), NOW)


def test_a_day_up_to_now_unless_it_is_said_otherwise() -> None:
    assert asked() == (NOW - DAY, NOW)
    assert asked(60) == (NOW - 60 * SECOND, NOW)
    assert asked(60, NOW - DAY) == (NOW - DAY - 60 * SECOND, NOW - DAY)
    assert asked(90 * 86_400) == (NOW - 90 * DAY, NOW)


def test_nothing_is_told_of_the_future() -> None:
    assert asked(60, NOW + 20 * SECOND) == (NOW - 40 * SECOND, NOW)
    assert asked(60, NOW + DAY) == (NOW, NOW)
    assert asked(60, 5) == (0, 5)


@pytest.mark.parametrize(("seconds", "end_us"), [(90 * 86_400 + 1, 0), (60, -1), (60, 2**62)])
def test_what_is_no_time_or_too_much_is_refused(seconds: int, end_us: int) -> None:
    with pytest.raises(Refused):
        asked(seconds, end_us)


def test_segments_come_through_as_they_are() -> None:
    told = [
        records.HealthSegment(NOW - 60 * SECOND, NOW - 20 * SECOND, DeviceStatus.UNKNOWN, ""),
        records.HealthSegment(NOW - 20 * SECOND, NOW - 7, DeviceStatus.DOWN, "nobody listens"),
        records.HealthSegment(NOW - 7, NOW, DeviceStatus.UP, "polled in time"),
    ]
    history = health_of(health_message(records.HealthHistory(NOW - 60 * SECOND, NOW, told, ())))
    assert (history.end - history.start).total_seconds() == 60
    assert history.segments == [
        HealthSegment(NOW - 60 * SECOND, NOW - 20 * SECOND, "unknown", ""),
        HealthSegment(NOW - 20 * SECOND, NOW - 7, "down", "nobody listens"),
        HealthSegment(NOW - 7, NOW, "up", "polled in time"),
    ]
