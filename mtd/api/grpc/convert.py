"""Messages of the protocol as values of the interfaces, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.grpc.slices import page_of
from mtd.api.grpc.ways import (
    fingerprint_problem,
    normal_fingerprint,
    put_way_settings,
    put_way_states,
    way_problems,
    way_settings,
)
from mtd.api.interfaces import ConnectionReport
from mtd.core.errors import Refused
from mtd.model.catalogue import Catalogue
from mtd.model.credentials import Purpose
from mtd.model.device import InterfaceNaming, TlsMode
from mtd.model.evidence import Source
from mtd.model.metric import Tier
from mtd.model.pb_enums import KIND, NAMING, OUTCOME, SEVERITY, STATUS, TIER, TLS_MODE, WAY
from mtd.model.selection import T0Settings, limit_of, text_of
from mtd.pb.common.v1 import device_pb2 as pb_device
from mtd.pb.common.v1 import series_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry
from mtd.queries.records import DeviceView, Evidence, StoredEvent
from mtd.storage.stores.device_settings import DeviceSettings

TIERS = frozenset(map(str, Tier))
MAX_TIMEOUT_S = 3600.0
MOST_METRICS = 10_000
MIN_INTERVAL_S = 0.1
MAX_INTERVAL_S = 7 * 86400.0

SETTING_NAMES: Mapping[str, str] = {
    field.name: "naming" if field.name == "interface_naming" else field.name
    for field in pb.DeviceSettings.DESCRIPTOR.fields
}
"""Fields of the protocol's settings, as an update mask names them, by their names in ours."""


class SettingsRefused(Refused):
    """Settings of a device that can't be used; the text names everything that is wrong."""

    hint = "correct the settings that the message names"


def settings_of(given: pb.DeviceSettings) -> DeviceSettings:
    """Return the settings of a new device. Raises SettingsRefused with all that is wrong."""
    settings = _raw(given)
    problems = _problems(given, SETTING_NAMES)
    try:
        settings.checked()
    except Refused as refused:
        problems.append(str(refused))
    if problems:
        raise SettingsRefused("; ".join(problems))
    return settings


def changes_of(given: pb.DeviceSettings, paths: Iterable[str]) -> tuple[DeviceSettings, list[str]]:
    """Return new values and the names of the settings that an update mask names.

    Raises SettingsRefused; what depends on the other settings is for the store to check.
    """
    wanted = sorted(set(paths))
    unknown = [path for path in wanted if path not in SETTING_NAMES]
    if unknown:
        raise SettingsRefused(
            f"the mask names {', '.join(unknown)}; there are the settings {', '.join(SETTING_NAMES)}"
        )
    problems = _problems(given, wanted)
    if problems:
        raise SettingsRefused("; ".join(problems))
    return _raw(given), [SETTING_NAMES[path] for path in wanted]


def _raw(given: pb.DeviceSettings) -> DeviceSettings:
    return DeviceSettings(
        name=given.name.strip(),
        host=given.host.strip(),
        port=given.port,
        username=given.username,
        tls_mode=TLS_MODE.from_pb(given.tls_mode, TlsMode.OFF),
        tls_fingerprint=normal_fingerprint(given.tls_fingerprint),
        enabled=given.enabled,
        naming=NAMING.from_pb(given.interface_naming, InterfaceNaming.NAME),
        code_page=given.code_page or "latin-1",
        connect_timeout_s=given.connect_timeout_s,
        command_timeout_s=given.command_timeout_s,
        intervals_s={Tier(key): value for key, value in given.intervals_s.items() if key in TIERS},
        labels=dict(given.labels),
        notes=given.notes,
        t0=_t0(given.t0),
        site=given.site.strip(),
        groups=tuple(dict.fromkeys(group.strip() for group in given.groups if group.strip())),
        **{purpose.setting: getattr(given, purpose.setting).strip() for purpose in Purpose},
        **way_settings(given),
    )


def _t0(given: pb.T0Settings) -> T0Settings:
    """Return what is set of the live tier; what can't be read stands for the default, and `_problems` tells."""
    interfaces, metrics = (
        None if _limit_problem(text) else limit_of(text) for text in (given.interfaces, given.metrics)
    )
    return T0Settings(interfaces, metrics, tuple(dict.fromkeys(pin.strip() for pin in given.pins)))


def _problems(given: pb.DeviceSettings, fields: Iterable[str]) -> list[str]:
    """Return what the protocol lets callers say and the inventory has no words for."""
    checks = {
        "tls_mode": _tls_mode_problem(given.tls_mode),
        "tls_fingerprint": fingerprint_problem(normal_fingerprint(given.tls_fingerprint)),
        "connect_timeout_s": _timeout_problem(given.connect_timeout_s),
        "command_timeout_s": _timeout_problem(given.command_timeout_s),
        "intervals_s": _intervals_problem(given.intervals_s),
        "t0": _t0_problem(given.t0),
        **way_problems(given),
    }
    return [f"{field}: {checks[field]}" for field in fields if checks.get(field)]


def _tls_mode_problem(number: int) -> str:
    if number in pb_device.TlsMode.values() and number != pb_device.TLS_MODE_UNSPECIFIED:
        return ""
    return f"say how the session is secured: {', '.join(mode.value for mode in TlsMode)}"


def _timeout_problem(seconds: float) -> str:
    # Also refuses NaN.
    return "" if 0 <= seconds <= MAX_TIMEOUT_S else f"give 0 to {MAX_TIMEOUT_S:g} seconds"


def _intervals_problem(intervals: Mapping[str, float]) -> str:
    unknown = sorted(key for key in intervals if key not in TIERS)
    if unknown:
        return f"there are tiers {', '.join(Tier)}, not {', '.join(unknown)}"
    if not all(MIN_INTERVAL_S <= seconds <= MAX_INTERVAL_S for seconds in intervals.values()):
        return f"give {MIN_INTERVAL_S:g} to {MAX_INTERVAL_S:g} seconds"
    return ""


def _t0_problem(given: pb.T0Settings) -> str:
    wrong = [f"{name}: {_limit_problem(getattr(given, name))}" for name in ("interfaces", "metrics")]
    found = [problem for problem in wrong if not problem.endswith(": ")]
    return "; ".join([*found, *_t0(given).problems()])


def _limit_problem(text: str) -> str:
    try:
        limit_of(text)
    except ValueError as error:
        return str(error)
    return ""


def device_message(view: DeviceView) -> pb.Device:
    """Return a device as the protocol shows it."""
    settings = view.settings
    message = pb.Device(
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
        absent_capabilities=view.absent_capabilities,
        routeros_major=view.routeros_major,
        settings=pb.DeviceSettings(
            name=settings.name,
            host=settings.host,
            port=settings.port,
            tls_mode=TLS_MODE.to_pb(settings.tls_mode),
            tls_fingerprint=settings.tls_fingerprint,
            username=settings.username,
            enabled=settings.enabled,
            interface_naming=NAMING.to_pb(settings.naming),
            code_page=settings.code_page,
            connect_timeout_s=settings.connect_timeout_s,
            command_timeout_s=settings.command_timeout_s,
            intervals_s={str(tier): seconds for tier, seconds in settings.intervals_s.items()},
            labels=settings.labels,
            notes=settings.notes,
            t0=pb.T0Settings(
                interfaces=text_of(settings.t0.interfaces),
                metrics=text_of(settings.t0.metrics),
                pins=settings.t0.pins,
            ),
            site=settings.site,
            groups=settings.groups,
            **{purpose.setting: getattr(settings, purpose.setting) for purpose in Purpose},
        ),
    )
    put_way_settings(settings, message.settings)
    put_way_states(view, message)
    if view.last_seen_us is not None:
        message.last_seen_time.CopyFrom(_timestamp(view.last_seen_us))
    return message


def _timestamp(microseconds: int) -> Timestamp:
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)


def connection_message(report: ConnectionReport) -> pb.TestConnectionResponse:
    """Return what a connection test found."""
    return pb.TestConnectionResponse(
        outcome=OUTCOME.to_pb(report.outcome),
        reason=report.reason,
        steps=[
            pb.TestStep(
                name=step.name,
                ok=step.ok,
                duration_us=step.duration_us,
                detail=step.detail,
                way=WAY.to_pb(step.way),
            )
            for step in report.steps
        ],
        routeros_version=report.routeros_version,
        board_name=report.board_name,
        identity=report.identity,
        tls_fingerprint=report.tls_fingerprint,
        serves=None if report.serves is None else WAY.to_pb(report.serves),
    )


_EVIDENCE_SOURCES = {
    Source.POLL: telemetry.EVIDENCE_SOURCE_POLL,
    Source.SYSLOG: telemetry.EVIDENCE_SOURCE_SYSLOG,
    Source.TRAP: telemetry.EVIDENCE_SOURCE_TRAP,
}


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
            evidences=[_evidence_message(one) for one in event.evidences],
            replaced_positions=event.replaces,
        )
    )


def _evidence_message(evidence: Evidence) -> telemetry.Evidence:
    return telemetry.Evidence(
        source=telemetry.EVIDENCE_SOURCE_UNSPECIFIED
        if evidence.source is None
        else _EVIDENCE_SOURCES[evidence.source],
        collected_at_us=evidence.collected_us,
        after_first_us=evidence.after_first_us,
        log_id=evidence.log_id,
        seq=evidence.seq,
        part=evidence.part,
        message=evidence.message,
    )


def catalogue_message(
    catalogue: Catalogue, page_size: int = 0, after: str = ""
) -> telemetry.ListMetricsResponse:
    """Return a page of the catalogue as the protocol shows it."""
    keys, following = page_of(list(catalogue.metrics), str, page_size, MOST_METRICS, after)
    response = telemetry.ListMetricsResponse(catalogue_version=catalogue.version, next_page_token=following)
    for key in keys:
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
