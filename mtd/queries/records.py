"""What the queries return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtd.model.device import DeviceStatus, Severity
from mtd.model.layout import Layout
from mtd.model.metric import Lane
from mtd.storage.stores.devices import DeviceSettings


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device of the inventory with what was learned about it.

    ``last_seen_us``: when it last answered a poll, None if never.
    ``capabilities``: name and detail of those present.
    """

    device_id: str
    tenant_id: str
    settings: DeviceSettings
    revision: int
    created_us: int
    updated_us: int
    status: DeviceStatus = DeviceStatus.UNKNOWN
    status_reason: str = ""
    status_since_us: int | None = None
    last_seen_us: int | None = None
    routeros_version: str = ""
    board_name: str = ""
    identity: str = ""
    capabilities: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LatestFrame:
    """The newest frame of a poll group of a device. Absent: None among counters, NaN among the others."""

    tenant_id: str
    device_id: str
    layout: Layout
    collected_us: int
    received_us: int
    counters: Sequence[int | None]
    gauges: Sequence[float]
    rates: Sequence[float]


@dataclass(frozen=True, slots=True)
class InstanceName:
    """How a router names one of its things: a row of a current-state table."""

    tenant_id: str
    device_id: str
    table: str
    key: str
    name: str
    comment: str


@dataclass(frozen=True, slots=True)
class SeriesPoints:
    """Points of one series. ``counters`` are exact; the other lanes come as ``values``."""

    metric: str
    instance: str
    lane: Lane
    label: str
    key: str
    unit: str
    times_us: Sequence[int]
    values: Sequence[float] = ()
    counters: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class RangeAnswer:
    """Series with at least one point; ``bucket_us`` is 0 if the points are as stored."""

    series: Sequence[SeriesPoints]
    bucket_us: int


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as operators read it. ``device_id`` is empty if it is about the collector."""

    position: int
    collected_us: int
    device_id: str
    device_name: str
    event_type: str
    severity: Severity
    entity_type: str
    entity_id: str
    entity_label: str
    field: str
    old: str
    new: str
    message: str


@dataclass(frozen=True, slots=True)
class MetricRecord:
    """An entry of the stored catalogue. ``states``: name by number."""

    key: str
    unit: str
    kind: str
    tier: str
    scope: str
    description: str
    since: str
    collector: str
    expected_min: float | None
    expected_max: float | None
    states: Mapping[int, str]
