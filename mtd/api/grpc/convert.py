"""Messages of the protocol as values of the interfaces, and back."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.interfaces import (
    Catalogue,
    ConnectionReport,
    DeviceSpec,
    DeviceView,
    RangeAnswer,
    StoredEvent,
)
from mtd.core.errors import Refused
from mtd.model.device import InterfaceNaming, TlsMode
from mtd.model.metric import Lane, Metric, Tier, full_key
from mtd.model.pb_enums import KIND, LANE, NAMING, OUTCOME, SEVERITY, STATUS, TIER, TLS_MODE
from mtd.pb.common.v1 import device_pb2, series_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry

TIERS = frozenset(map(str, Tier))
PLAIN_PORT = 8728
TLS_PORT = 8729
MAX_PORT = 65535
FINGERPRINT = re.compile(r"[0-9a-f]{64}")

SPEC_FIELDS: Mapping[str, str] = {
    field.name: "naming" if field.name == "interface_naming" else field.name
    for field in inventory.DeviceSettings.DESCRIPTOR.fields
}
"""Fields of DeviceSettings, as an update mask names them, by their names in DeviceSpec."""


class SettingsRefused(Refused):
    """Settings of a device that can't be used; the text names everything that is wrong."""

    hint = "correct the settings that the message names"


def spec_of(settings: inventory.DeviceSettings) -> DeviceSpec:
    """Return the settings of a new device. Raises SettingsRefused with all that is wrong."""
    spec = _raw_spec(settings)
    _check(spec, settings, SPEC_FIELDS)
    return spec


def changes_of(settings: inventory.DeviceSettings, paths: Iterable[str]) -> dict[str, object]:
    """Return the new values of the fields that a mask names, by their names in DeviceSpec."""
    wanted = set(paths)
    unknown = wanted - set(SPEC_FIELDS)
    if unknown:
        raise SettingsRefused(
            f"the mask names {', '.join(sorted(unknown))}; fields of the settings are {', '.join(SPEC_FIELDS)}"
        )
    spec = _raw_spec(settings)
    _check(spec, settings, wanted)
    return {SPEC_FIELDS[path]: getattr(spec, SPEC_FIELDS[path]) for path in sorted(wanted)}


def _raw_spec(settings: inventory.DeviceSettings) -> DeviceSpec:
    tls_mode = TLS_MODE.from_pb(settings.tls_mode, TlsMode.OFF)
    return DeviceSpec(
        name=settings.name.strip(),
        host=settings.host.strip(),
        port=settings.port or (PLAIN_PORT if tls_mode is TlsMode.OFF else TLS_PORT),
        username=settings.username,
        tls_mode=tls_mode,
        tls_fingerprint=settings.tls_fingerprint.replace(":", "").strip().lower(),
        enabled=settings.enabled,
        naming=NAMING.from_pb(settings.interface_naming, InterfaceNaming.NAME),
        code_page=settings.code_page or "latin-1",
        connect_timeout_s=settings.connect_timeout_s,
        command_timeout_s=settings.command_timeout_s,
        intervals_s={Tier(key): value for key, value in settings.intervals_s.items() if key in TIERS},
        labels=dict(settings.labels),
        notes=settings.notes,
    )


def _check(spec: DeviceSpec, settings: inventory.DeviceSettings, fields: Iterable[str]) -> None:
    problems = {
        "name": "" if spec.name else "give it a name",
        "host": "" if spec.host else "give a host name or an address",
        "port": "" if spec.port <= MAX_PORT else f"there is no port {spec.port}",
        "username": "" if spec.username else "say whom to log in as",
        "tls_mode": _tls_mode_problem(settings.tls_mode),
        "tls_fingerprint": _fingerprint_problem(spec),
        "code_page": _code_page_problem(spec.code_page),
        "connect_timeout_s": _seconds_problem(spec.connect_timeout_s),
        "command_timeout_s": _seconds_problem(spec.command_timeout_s),
        "intervals_s": _intervals_problem(settings.intervals_s),
    }
    found = [f"{field}: {problems[field]}" for field in fields if problems.get(field)]
    if found:
        raise SettingsRefused("; ".join(sorted(found)))


def _tls_mode_problem(number: int) -> str:
    if number in device_pb2.TlsMode.values() and number != device_pb2.TLS_MODE_UNSPECIFIED:
        return ""
    return f"say how the session is secured: {', '.join(mode.value for mode in TlsMode)}"


def _fingerprint_problem(spec: DeviceSpec) -> str:
    if spec.tls_fingerprint and not FINGERPRINT.fullmatch(spec.tls_fingerprint):
        return "a SHA-256 fingerprint has 64 hexadecimal digits"
    if spec.tls_mode is TlsMode.PINNED and not spec.tls_fingerprint:
        return "pinned TLS needs the fingerprint to expect"
    return ""


def _code_page_problem(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        return f"Python knows no code page {name!r}"
    return ""


def _seconds_problem(seconds: float) -> str:
    # Also refuses NaN.
    return "" if 0 <= seconds <= 3600 else "give 0 to 3600 seconds"


def _intervals_problem(intervals: Mapping[str, float]) -> str:
    unknown = sorted(key for key in intervals if key not in TIERS)
    if unknown:
        return f"there are tiers {', '.join(Tier)}, not {', '.join(unknown)}"
    if not all(0.1 <= seconds <= 7 * 86400 for seconds in intervals.values()):
        return "give 0.1 seconds to 7 days"
    return ""


def device_message(view: DeviceView) -> inventory.Device:
    """Return a device as the protocol shows it."""
    spec = view.spec
    message = inventory.Device(
        id=view.device_id,
        tenant_id=view.tenant_id,
        revision=view.revision,
        create_time=_timestamp(view.created_us),
        update_time=_timestamp(view.updated_us),
        status=STATUS.to_pb(view.status),
        status_reason=view.status_reason,
        routeros_version=view.routeros_version,
        board_name=view.board_name,
        identity=view.identity,
        capabilities=view.capabilities,
        settings=inventory.DeviceSettings(
            name=spec.name,
            host=spec.host,
            port=spec.port,
            tls_mode=TLS_MODE.to_pb(spec.tls_mode),
            tls_fingerprint=spec.tls_fingerprint,
            username=spec.username,
            enabled=spec.enabled,
            interface_naming=NAMING.to_pb(spec.naming),
            code_page=spec.code_page,
            connect_timeout_s=spec.connect_timeout_s,
            command_timeout_s=spec.command_timeout_s,
            intervals_s={str(tier): seconds for tier, seconds in spec.intervals_s.items()},
            labels=spec.labels,
            notes=spec.notes,
        ),
    )
    if view.last_seen_us is not None:
        message.last_seen_time.CopyFrom(_timestamp(view.last_seen_us))
    return message


def _timestamp(microseconds: int) -> Timestamp:
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def connection_message(report: ConnectionReport) -> inventory.TestConnectionResponse:
    """Return what a connection test found."""
    return inventory.TestConnectionResponse(
        outcome=OUTCOME.to_pb(report.outcome),
        reason=report.reason,
        steps=[
            inventory.TestStep(name=step.name, ok=step.ok, duration_us=step.duration_us, detail=step.detail)
            for step in report.steps
        ],
        routeros_version=report.routeros_version,
        board_name=report.board_name,
        identity=report.identity,
        tls_fingerprint=report.tls_fingerprint,
    )


def event_message(event: StoredEvent) -> telemetry.StreamEventsResponse:
    """Return an event as the protocol shows it."""
    return telemetry.StreamEventsResponse(
        event=telemetry.Event(
            position=event.position,
            collected_at_us=event.collected_us,
            device_id=event.device_id,
            device_name=event.device_name,
            event_type=event.event_type,
            severity=SEVERITY.to_pb(event.severity),
            entity_type=event.entity_type,
            entity_id=event.entity_id,
            entity_label=event.entity_label,
            field=event.field,
            old_value=event.old,
            new_value=event.new,
            message=event.message,
        )
    )


def range_message(answer: RangeAnswer, catalogue: Mapping[str, Metric]) -> telemetry.QueryRangeResponse:
    """Return stored points as the protocol shows them."""
    response = telemetry.QueryRangeResponse(bucket_us=answer.bucket_us)
    for points in answer.series:
        known = catalogue.get(points.metric)
        scope = known.scope if known is not None else points.metric.partition(".")[0]
        label = points.label or points.instance
        target = response.series.add()
        target.info.key = full_key(points.metric, scope, label)
        target.info.label = label
        target.info.unit = known.unit if known is not None else ""
        target.info.series.metric = points.metric
        target.info.series.instance = points.instance
        target.info.series.lane = LANE.to_pb(points.lane)
        target.times_us.extend(points.times_us)
        if points.lane is Lane.COUNTER:
            target.counters.extend(points.counters)
        else:
            target.values.extend(points.values)
    return response


def catalogue_message(catalogue: Catalogue) -> telemetry.ListMetricsResponse:
    """Return the catalogue as the protocol shows it."""
    response = telemetry.ListMetricsResponse(catalogue_version=catalogue.version)
    for key in sorted(catalogue.metrics):
        metric = catalogue.metrics[key]
        target: series_pb2.Metric = response.metrics.add(
            key=metric.key,
            unit=metric.unit,
            kind=KIND.to_pb(metric.kind),
            tier=TIER.to_pb(metric.tier),
            description=metric.description,
            since=metric.since,
            states={number: name for name, number in metric.states.items()},
            collector=catalogue.collector_of(key),
        )
        if metric.expected_min is not None:
            target.expected_min = metric.expected_min
        if metric.expected_max is not None:
            target.expected_max = metric.expected_max
    return response
