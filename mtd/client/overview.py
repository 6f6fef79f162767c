"""Newest values, rankings and counts, as calls give them back. ``age_s``: how old the answer is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtd.client.values import moment, word
from mtd.pb.common.v1 import device_pb2
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class LatestValue:
    """The newest value of a series. ``value_int`` is the exact integer of a counter, None for anything else."""

    device_id: str
    device: str
    key: str
    metric: str
    instance: str
    label: str
    unit: str
    value: float
    value_int: int | None
    collected_at: dt.datetime


@dataclass(frozen=True, slots=True)
class LatestPage:
    """Newest values by device name and key; an empty token ends them."""

    values: Sequence[LatestValue]
    next_token: str
    age_s: float


@dataclass(frozen=True, slots=True)
class TopEntry:
    """An interface in a ranking. ``maximum`` is the largest within the window, 0 without one."""

    device_id: str
    device: str
    instance: str
    label: str
    value: float
    maximum: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Interfaces, the highest first."""

    entries: Sequence[TopEntry]
    unit: str
    age_s: float


@dataclass(frozen=True, slots=True)
class StatusCounts:
    """How many devices have each status."""

    devices: Mapping[str, int]
    age_s: float


@dataclass(frozen=True, slots=True)
class EventDay:
    """Events of one UTC day, by severity."""

    day: dt.date
    info: int
    warning: int
    critical: int


@dataclass(frozen=True, slots=True)
class EventDays:
    """Days, the oldest first."""

    days: Sequence[EventDay]
    age_s: float


def latest_of(message: pb.QueryLatestResponse) -> LatestPage:
    """Return newest values of the protocol."""
    values = [
        LatestValue(
            one.device_id,
            one.device_name,
            one.info.key,
            one.info.series.metric,
            one.info.series.instance,
            one.info.label,
            one.info.unit,
            one.value,
            one.counter if one.HasField("counter") else None,
            moment(one.collected_at_us),
        )
        for one in message.values
    ]
    return LatestPage(values, message.next_page_token, message.age_ms / 1000)


def ranking_of(message: pb.TopNResponse) -> Ranking:
    """Return a ranking of the protocol."""
    entries = [
        TopEntry(one.device_id, one.device_name, one.instance, one.label, one.value, one.max_value)
        for one in message.entries
    ]
    return Ranking(entries, message.unit, message.age_ms / 1000)


def status_counts_of(message: pb.StatusCountsResponse) -> StatusCounts:
    """Return counts of the protocol."""
    devices = {
        word(device_pb2.DeviceStatus, one.status, "DEVICE_STATUS_"): one.devices for one in message.counts
    }
    return StatusCounts(devices, message.age_ms / 1000)


def event_days_of(message: pb.EventsPerDayResponse) -> EventDays:
    """Return days of the protocol."""
    days = [
        EventDay(dt.date.fromisoformat(one.day), one.info, one.warning, one.critical) for one in message.days
    ]
    return EventDays(days, message.age_ms / 1000)
