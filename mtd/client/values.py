"""What calls give back. Words instead of numbers, times in UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.client.errors import MtdClientError
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
class WayState:
    """A way to a router: ``serves``, ``standby``, ``closed`` or ``unused``, and why or where."""

    way: str
    state: str
    detail: str


def number_of(enum: Any, given: str, prefix: str) -> Any:
    """Return the number of a word of an enumeration. Raises MtdClientError with the words there are."""
    # Zero is "unspecified" everywhere: no word for callers.
    known = {key.removeprefix(prefix).lower(): number for key, number in enum.items() if number}
    if given.lower() not in known:
        raise MtdClientError(
            f"{given!r} isn't one of {', '.join(known)}", code="INVALID_ARGUMENT", reason="UNKNOWN_WORD"
        )
    return known[given.lower()]


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
    t0: Mapping[str, Any] = field(default_factory=dict)
    """What is read at the live tier: limits, as text, and pins."""
    ways: Sequence[str] = ()
    """Those that may be used; all that there are settings for if empty."""
    rest_port: int = 0
    rest_tls_mode: str = ""
    rest_tls_fingerprint: str = ""
    snmp_version: str = ""
    snmp_port: int = 0
    snmp_username: str = ""
    snmp_auth: str = ""
    snmp_priv: str = ""
    way_states: Sequence[WayState] = ()
    routeros_major: int = 0
    absent_capabilities: Mapping[str, str] = field(default_factory=dict)
    """What the router said that it hasn't: name, and what it said."""
    site: str = ""
    groups: Sequence[str] = ()
    readonly_credentials: str = ""
    diagnostics_credentials: str = ""
    config_audit_credentials: str = ""


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
        t0={
            "interfaces": settings.t0.interfaces,
            "metrics": settings.t0.metrics,
            "pins": list(settings.t0.pins),
        },
        ways=[_way(number) for number in settings.ways],
        rest_port=settings.rest_port,
        rest_tls_mode=_word_or_none(device_pb2.TlsMode, settings.rest_tls_mode, "TLS_MODE_"),
        rest_tls_fingerprint=settings.rest_tls_fingerprint,
        snmp_version=_word_or_none(device_pb2.SnmpVersion, settings.snmp_version, "SNMP_VERSION_V"),
        snmp_port=settings.snmp_port,
        snmp_username=settings.snmp_username,
        snmp_auth=_word_or_none(device_pb2.SnmpAuth, settings.snmp_auth, "SNMP_AUTH_"),
        snmp_priv=_word_or_none(device_pb2.SnmpPriv, settings.snmp_priv, "SNMP_PRIV_"),
        way_states=[WayState(_way(state.way), state.state, state.detail) for state in message.ways],
        routeros_major=message.routeros_major,
        absent_capabilities=dict(message.absent_capabilities),
        site=settings.site,
        groups=list(settings.groups),
        readonly_credentials=settings.readonly_credentials,
        diagnostics_credentials=settings.diagnostics_credentials,
        config_audit_credentials=settings.config_audit_credentials,
    )


def _way(number: int) -> str:
    return word(device_pb2.Way, number, "WAY_")


def _word_or_none(enum: Any, number: int, prefix: str) -> str:
    return word(enum, number, prefix) if number else ""


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
    way: str = "api"


@dataclass(frozen=True, slots=True)
class ConnectionTest:
    """What a connection test found, of each way up to the first step that failed.

    ``serves`` is the best way that works; empty if none does.
    """

    outcome: str
    reason: str
    steps: Sequence[TestStep]
    routeros_version: str
    board_name: str
    identity: str
    tls_fingerprint: str
    serves: str = ""

    @property
    def ok(self) -> bool:
        """Whether mtd could poll the router."""
        return self.outcome == "ok"


def connection_test_of(message: inventory_pb.TestConnectionResponse) -> ConnectionTest:
    """Return a connection test of the protocol."""
    return ConnectionTest(
        outcome=word(device_pb2.Outcome, message.outcome, "OUTCOME_"),
        reason=message.reason,
        steps=tuple(
            TestStep(step.name, step.ok, step.duration_us, step.detail, _way(step.way) if step.way else "api")
            for step in message.steps
        ),
        routeros_version=message.routeros_version,
        board_name=message.board_name,
        identity=message.identity,
        tls_fingerprint=message.tls_fingerprint,
        serves=_way(message.serves) if message.serves else "",
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who saw what an event tells: ``poll``, ``syslog``, ``trap`` or ``unknown``, and how long after the first of them.

    ``log_id``, ``seq`` and ``part`` name what it is read from in the event log.
    """

    source: str
    collected_at: dt.datetime
    after_first_s: float
    log_id: str
    seq: int
    part: int
    message: str


@dataclass(frozen=True, slots=True)
class Event:
    """One event as operators read it. ``position`` is where to resume after it.

    ``evidences``: who saw it, the first first; none of what only one can tell. ``replaced_positions``: where the same event
    was told before it had all of them; it takes the place of those.
    """

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
    evidences: Sequence[Evidence] = ()
    replaced_positions: Sequence[int] = ()


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
        evidences=[
            Evidence(
                source=word(telemetry_pb.EvidenceSource, one.source, "EVIDENCE_SOURCE_"),
                collected_at=moment(one.collected_at_us),
                after_first_s=one.after_first_us / 1e6,
                log_id=one.log_id,
                seq=one.seq,
                part=one.part,
                message=one.message,
            )
            for one in message.evidences
        ],
        replaced_positions=list(message.replaced_positions),
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
