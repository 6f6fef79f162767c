"""What calls give back. Words instead of numbers, times in UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.pb.common.v1 import device_pb2, series_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory_pb
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry_pb

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def moment(microseconds: int) -> dt.datetime:
    """Return a time given in microseconds since the epoch, exactly."""
    return EPOCH + dt.timedelta(microseconds=microseconds)


def word(enum: Any, number: int, prefix: str) -> str:
    """Return the word of a number of an enumeration; ``unknown`` if it is newer than we are."""
    name: str = enum.Name(number) if number in enum.values() else ""
    text = name.removeprefix(prefix).lower()
    return "unknown" if text in {"", "unspecified"} else text


@dataclass(frozen=True, slots=True)
class Device:
    """A router of the inventory, with what was learned about it."""

    id: str
    tenant_id: str
    name: str
    host: str
    port: int
    username: str
    tls_mode: str
    tls_fingerprint: str
    enabled: bool
    interface_naming: str
    code_page: str
    connect_timeout_s: float
    command_timeout_s: float
    intervals_s: Mapping[str, float]
    labels: Mapping[str, str]
    notes: str
    revision: int
    created_at: dt.datetime
    updated_at: dt.datetime
    status: str
    status_reason: str
    last_seen_at: dt.datetime | None
    routeros_version: str
    board_name: str
    identity: str
    capabilities: Mapping[str, str]


def device_of(message: inventory_pb.Device) -> Device:
    """Return a device of the protocol."""
    settings = message.settings
    return Device(
        id=message.id,
        tenant_id=message.tenant_id,
        name=settings.name,
        host=settings.host,
        port=settings.port,
        username=settings.username,
        tls_mode=word(device_pb2.TlsMode, settings.tls_mode, "TLS_MODE_"),
        tls_fingerprint=settings.tls_fingerprint,
        enabled=settings.enabled,
        interface_naming=word(device_pb2.InterfaceNaming, settings.interface_naming, "INTERFACE_NAMING_"),
        code_page=settings.code_page,
        connect_timeout_s=settings.connect_timeout_s,
        command_timeout_s=settings.command_timeout_s,
        intervals_s=dict(settings.intervals_s),
        labels=dict(settings.labels),
        notes=settings.notes,
        revision=message.revision,
        created_at=_time(message.create_time),
        updated_at=_time(message.update_time),
        status=word(device_pb2.DeviceStatus, message.status, "DEVICE_STATUS_"),
        status_reason=message.status_reason,
        last_seen_at=_time(message.last_seen_time) if message.HasField("last_seen_time") else None,
        routeros_version=message.routeros_version,
        board_name=message.board_name,
        identity=message.identity,
        capabilities=dict(message.capabilities),
    )


def _time(stamp: Timestamp) -> dt.datetime:
    return moment(stamp.seconds * 1_000_000 + stamp.nanos // 1000)


@dataclass(frozen=True, slots=True)
class TestStep:
    """One step of a connection test."""

    __test__ = False  # pytest, this is no test class

    name: str
    ok: bool
    duration_us: int
    detail: str


@dataclass(frozen=True, slots=True)
class ConnectionTest:
    """What a connection test found, up to the first step that failed."""

    outcome: str
    reason: str
    steps: Sequence[TestStep]
    routeros_version: str
    board_name: str
    identity: str
    tls_fingerprint: str

    @property
    def ok(self) -> bool:
        """Whether mtd could poll the router."""
        return self.outcome == "ok"


def connection_test_of(message: inventory_pb.TestConnectionResponse) -> ConnectionTest:
    """Return a connection test of the protocol."""
    return ConnectionTest(
        outcome=word(device_pb2.Outcome, message.outcome, "OUTCOME_"),
        reason=message.reason,
        steps=tuple(TestStep(step.name, step.ok, step.duration_us, step.detail) for step in message.steps),
        routeros_version=message.routeros_version,
        board_name=message.board_name,
        identity=message.identity,
        tls_fingerprint=message.tls_fingerprint,
    )


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Values of one series over time; counters come as exact integers."""

    key: str
    metric: str
    instance: str
    label: str
    unit: str
    lane: str
    times_us: Sequence[int]
    values: Sequence[float] | Sequence[int]


@dataclass(frozen=True, slots=True)
class RangeResult:
    """Series with at least one point; ``bucket_us`` is 0 if the points are as stored."""

    series: Sequence[TimeSeries]
    bucket_us: int


def range_of(message: telemetry_pb.QueryRangeResponse) -> RangeResult:
    """Return stored values of the protocol."""
    series = []
    for found in message.series:
        info = found.info
        is_counter = info.series.lane == series_pb2.LANE_COUNTER
        series.append(
            TimeSeries(
                key=info.key,
                metric=info.series.metric,
                instance=info.series.instance,
                label=info.label,
                unit=info.unit,
                lane=word(series_pb2.Lane, info.series.lane, "LANE_"),
                times_us=list(found.times_us),
                values=list(found.counters) if is_counter else list(found.values),
            )
        )
    return RangeResult(series, message.bucket_us)


@dataclass(frozen=True, slots=True)
class Event:
    """One event as operators read it. ``position`` is where to resume after it."""

    position: int
    collected_at: dt.datetime
    device_id: str
    device_name: str
    event_type: str
    severity: str
    entity_type: str
    entity_id: str
    entity_label: str
    field: str
    old_value: str
    new_value: str
    message: str


def event_of(message: telemetry_pb.Event) -> Event:
    """Return an event of the protocol."""
    return Event(
        position=message.position,
        collected_at=moment(message.collected_at_us),
        device_id=message.device_id,
        device_name=message.device_name,
        event_type=message.event_type,
        severity=word(device_pb2.Severity, message.severity or device_pb2.SEVERITY_INFO, "SEVERITY_"),
        entity_type=message.entity_type,
        entity_id=message.entity_id,
        entity_label=message.entity_label,
        field=message.field,
        old_value=message.old_value,
        new_value=message.new_value,
        message=message.message,
    )


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the metric catalogue. ``states`` names the numbers of a state."""

    key: str
    unit: str
    kind: str
    tier: str
    description: str
    since: str
    expected_min: float | None
    expected_max: float | None
    states: Mapping[int, str]
    collector: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The metric catalogue."""

    version: str
    metrics: Sequence[Metric]


def catalogue_of(message: telemetry_pb.ListMetricsResponse) -> Catalogue:
    """Return a catalogue of the protocol."""
    return Catalogue(message.catalogue_version, tuple(map(_metric_of, message.metrics)))


def _metric_of(message: series_pb2.Metric) -> Metric:
    return Metric(
        key=message.key,
        unit=message.unit,
        kind=word(device_pb2.MetricKind, message.kind, "METRIC_KIND_"),
        tier=word(device_pb2.Tier, message.tier, "TIER_"),
        description=message.description,
        since=message.since,
        expected_min=message.expected_min if message.HasField("expected_min") else None,
        expected_max=message.expected_max if message.HasField("expected_max") else None,
        states=dict(message.states),
        collector=message.collector,
    )
