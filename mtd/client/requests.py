"""Calls: which method, what is asked, how the answer is read. Shared by both clients."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar

from mtd.client.errors import MtdClientError
from mtd.client.health import HealthHistory, health_of
from mtd.client.overview import (
    EventDays,
    LatestPage,
    Ranking,
    StatusCounts,
    event_days_of,
    latest_of,
    ranking_of,
    status_counts_of,
)
from mtd.client.polled import PollNow, poll_now_of
from mtd.client.ranges import RangeResult, range_of
from mtd.client.snapshots import SnapshotInfo, SnapshotVersion, snapshot_versions_of, snapshots_of
from mtd.client.state import TableInfo, TablePage, table_page_of, tables_of
from mtd.client.values import (
    Catalogue,
    ConnectionTest,
    Device,
    catalogue_of,
    connection_test_of,
    device_of,
    number_of,
)
from mtd.pb.common.v1 import device_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory_pb
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry_pb

T = TypeVar("T")

INVENTORY = "inventory"
TELEMETRY = "telemetry"

PAGE_SIZE = 500
MOST_PAGES = 1000
"""Of one list: a server that never ends would fill the memory of who asks."""

POSITION_KEY = "mtd-position"
"""Initial metadata of StreamEvents: the position that the stream begins behind."""

# A router may take its time to refuse: the daemon bounds these, not the caller's default.
SLOW_CALL_S = 60.0


class Settings(TypedDict, total=False):
    """Settings of a device; see ``DeviceSettings`` in the protocol. Enumerations are words.

    The community and the passwords of SNMP are write only.
    """

    name: str
    host: str
    port: int
    tls_mode: str
    tls_fingerprint: str
    username: str
    enabled: bool
    interface_naming: str
    code_page: str
    connect_timeout_s: float
    command_timeout_s: float
    intervals_s: Mapping[str, float]
    labels: Mapping[str, str]
    notes: str
    t0: Mapping[str, Any]
    ways: Sequence[str]
    rest_port: int
    rest_tls_mode: str
    rest_tls_fingerprint: str
    snmp_version: str
    snmp_port: int
    snmp_username: str
    snmp_auth: str
    snmp_priv: str
    site: str
    groups: Sequence[str]
    readonly_credentials: str
    diagnostics_credentials: str
    config_audit_credentials: str
    snmp_community: str
    snmp_auth_password: str
    snmp_priv_password: str


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One unary call. ``min_timeout_s`` raises a shorter default time-out."""

    service: str
    method: str
    request: Any
    read: Callable[[Any], T]
    min_timeout_s: float = 0.0


def create_device(password: str, settings: Mapping[str, Any], request_id: str = "") -> Call[Device]:
    """Build CreateDevice. Devices are enabled, and in clear text, unless told otherwise."""
    rest, secrets = _apart({"enabled": True, "tls_mode": "off", **settings})
    request = inventory_pb.CreateDeviceRequest(
        settings=settings_message(rest), password=password, secrets=secrets, request_id=request_id
    )
    return Call(INVENTORY, "CreateDevice", request, lambda answer: device_of(answer.device))


def get_device(device: str) -> Call[Device]:
    """Build GetDevice."""
    request = inventory_pb.GetDeviceRequest(device=device)
    return Call(INVENTORY, "GetDevice", request, lambda answer: device_of(answer.device))


def list_page(token: str, site: str = "", group: str = "") -> Call[tuple[list[Device], str]]:
    """Build ListDevices; the answer is the devices and the next token."""
    request = inventory_pb.ListDevicesRequest(
        page_size=PAGE_SIZE, page_token=token, site=site, device_group=group
    )
    return Call(
        INVENTORY,
        "ListDevices",
        request,
        lambda answer: (list(map(device_of, answer.devices)), answer.next_page_token),
    )


def update_device(
    device: str, password: str | None, revision: int, settings: Mapping[str, Any]
) -> Call[Device]:
    """Build UpdateDevice for the settings that are given, and for the password unless it is None."""
    rest, secrets = _apart(settings)
    request = inventory_pb.UpdateDeviceRequest(
        device=device, settings=settings_message(rest), password=password, revision=revision, secrets=secrets
    )
    request.update_mask.paths.extend(sorted(rest))
    return Call(INVENTORY, "UpdateDevice", request, lambda answer: device_of(answer.device))


def delete_device(device: str) -> Call[None]:
    """Build DeleteDevice."""
    request = inventory_pb.DeleteDeviceRequest(device=device)
    return Call(INVENTORY, "DeleteDevice", request, lambda _: None)


def test_connection(device: str, password: str, settings: Mapping[str, Any]) -> Call[ConnectionTest]:
    """Build TestConnection, for a known device or for settings."""
    if bool(device) == bool(settings):
        raise MtdClientError(
            "name a known device or give settings, one of both", code="INVALID_ARGUMENT", reason="TARGET"
        )
    if device:
        request = inventory_pb.TestConnectionRequest(device=device)
    else:
        rest, secrets = _apart({"tls_mode": "off", **settings})
        request = inventory_pb.TestConnectionRequest(
            settings=settings_message(rest), password=password, secrets=secrets
        )
    return Call(INVENTORY, "TestConnection", request, connection_test_of, SLOW_CALL_S)


test_connection.__test__ = False  # type: ignore[attr-defined]  # pytest, this is no test


def refresh_capabilities(device: str) -> Call[Device]:
    """Build RefreshCapabilities."""
    request = inventory_pb.RefreshCapabilitiesRequest(device=device)
    return Call(
        INVENTORY, "RefreshCapabilities", request, lambda answer: device_of(answer.device), SLOW_CALL_S
    )


def poll_now(device: str, tiers: Sequence[str]) -> Call[PollNow]:
    """Build PollDevice. Tiers are words: ``t0`` to ``t3``; all if empty."""
    numbers = [number_of(device_pb2.Tier, tier, "TIER_") for tier in tiers]
    request = inventory_pb.PollDeviceRequest(device=device, tiers=numbers)
    return Call(INVENTORY, "PollDevice", request, poll_now_of, SLOW_CALL_S)


def query_health(device: str, seconds: int, end: dt.datetime | int | None) -> Call[HealthHistory]:
    """Build QueryHealth. The end is now if it is None."""
    end_us = 0 if end is None else microseconds(end)
    request = telemetry_pb.QueryHealthRequest(device=device, seconds=seconds, end_us=end_us)
    return Call(TELEMETRY, "QueryHealth", request, health_of)


def list_metrics() -> Call[Catalogue]:
    """Build ListMetrics."""
    return Call(TELEMETRY, "ListMetrics", telemetry_pb.ListMetricsRequest(), catalogue_of)


def query_range(
    device: str,
    metrics: Sequence[str],
    start: dt.datetime | int,
    end: dt.datetime | int,
    max_points: int,
    resolution: str,
) -> Call[RangeResult]:
    """Build QueryRange. Times are aware datetimes, or microseconds since the epoch."""
    request = telemetry_pb.QueryRangeRequest(
        device=device,
        metrics=metrics,
        start_us=microseconds(start),
        end_us=microseconds(end),
        max_points=max_points,
        resolution=number_of(telemetry_pb.Resolution, resolution, "RESOLUTION_"),
    )
    return Call(TELEMETRY, "QueryRange", request, range_of)


def query_latest(
    devices: Sequence[str], metrics: Sequence[str], page_size: int, page_token: str
) -> Call[LatestPage]:
    """Build QueryLatest."""
    request = telemetry_pb.QueryLatestRequest(
        selector=telemetry_pb.Selector(devices=devices, metrics=metrics),
        page_size=page_size,
        page_token=page_token,
    )
    return Call(TELEMETRY, "QueryLatest", request, latest_of)


def top(by: str, limit: int, window_s: int, devices: Sequence[str]) -> Call[Ranking]:
    """Build TopN."""
    request = telemetry_pb.TopNRequest(
        by=number_of(telemetry_pb.TopBy, by, "TOP_BY_"), limit=limit, window_s=window_s, devices=devices
    )
    return Call(TELEMETRY, "TopN", request, ranking_of)


def status_counts() -> Call[StatusCounts]:
    """Build StatusCounts."""
    return Call(TELEMETRY, "StatusCounts", telemetry_pb.StatusCountsRequest(), status_counts_of)


def events_per_day(days: int, devices: Sequence[str]) -> Call[EventDays]:
    """Build EventsPerDay."""
    request = telemetry_pb.EventsPerDayRequest(days=days, devices=devices)
    return Call(TELEMETRY, "EventsPerDay", request, event_days_of)


def tables(device: str) -> Call[list[TableInfo]]:
    """Build ListTables."""
    return Call(TELEMETRY, "ListTables", telemetry_pb.ListTablesRequest(device=device), tables_of)


def table_rows(
    device: str, table: str, contains: str, fields: Mapping[str, str], page_size: int, page_token: str
) -> Call[TablePage]:
    """Build ListTableRows."""
    request = telemetry_pb.ListTableRowsRequest(
        device=device,
        table=table,
        contains=contains,
        fields=fields,
        page_size=page_size,
        page_token=page_token,
    )
    return Call(TELEMETRY, "ListTableRows", request, table_page_of)


def snapshots(device: str) -> Call[list[SnapshotInfo]]:
    """Build ListSnapshots."""
    return Call(TELEMETRY, "ListSnapshots", telemetry_pb.ListSnapshotsRequest(device=device), snapshots_of)


def snapshot_versions(
    device: str, kind: str, limit: int, before: dt.datetime | None
) -> Call[list[SnapshotVersion]]:
    """Build ListSnapshotVersions."""
    request = telemetry_pb.ListSnapshotVersionsRequest(
        device=device, kind=kind, limit=limit, before_us=0 if before is None else microseconds(before)
    )
    return Call(TELEMETRY, "ListSnapshotVersions", request, snapshot_versions_of)


def endless() -> MtdClientError:
    """Return the error of a list that doesn't end."""
    return MtdClientError(
        f"the list has more than {MOST_PAGES} pages", code="OUT_OF_RANGE", reason="TOO_LONG"
    )


def latest_request(devices: Sequence[str], metrics: Sequence[str]) -> telemetry_pb.StreamLatestRequest:
    """Build the request of StreamLatest."""
    return telemetry_pb.StreamLatestRequest(selector=telemetry_pb.Selector(devices=devices, metrics=metrics))


def events_request(
    devices: Sequence[str], min_severity: str, *, until_now: bool
) -> telemetry_pb.StreamEventsRequest:
    """Build the request of StreamEvents; the position is set for each attempt."""
    return telemetry_pb.StreamEventsRequest(
        devices=devices,
        min_severity=number_of(device_pb2.Severity, min_severity, "SEVERITY_"),
        until_now=until_now,
    )


def resume_events(request: telemetry_pb.StreamEventsRequest, metadata: Any) -> None:
    """Make a request for only new events go on from where the broken stream began.

    The daemon says at the start of a stream which position that was: without
    it, events that came while the connection was down would be lost.
    """
    began = dict(metadata or ()).get(POSITION_KEY)
    if request.only_new and began is not None:
        request.after_position, request.only_new = int(began), False


def microseconds(when: dt.datetime | int) -> int:
    """Return a time as microseconds since the epoch. Refuses a time without a zone."""
    if isinstance(when, int):
        return when
    if when.tzinfo is None:
        raise MtdClientError(
            f"{when} has no time zone", code="INVALID_ARGUMENT", reason="NAIVE_TIME", hint="use datetime.UTC"
        )
    return (when - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)


_SECRETS = frozenset(field.name for field in inventory_pb.DeviceSecrets.DESCRIPTOR.fields)
_WORDS: Mapping[str, tuple[Any, str]] = {
    "tls_mode": (device_pb2.TlsMode, "TLS_MODE_"),
    "interface_naming": (device_pb2.InterfaceNaming, "INTERFACE_NAMING_"),
    "rest_tls_mode": (device_pb2.TlsMode, "TLS_MODE_"),
    "snmp_version": (device_pb2.SnmpVersion, "SNMP_VERSION_V"),
    "snmp_auth": (device_pb2.SnmpAuth, "SNMP_AUTH_"),
    "snmp_priv": (device_pb2.SnmpPriv, "SNMP_PRIV_"),
}
# An empty word takes the setting away.
_OPTIONAL = frozenset({"rest_tls_mode", "snmp_version"})


def _apart(settings: Mapping[str, Any]) -> tuple[dict[str, Any], inventory_pb.DeviceSecrets]:
    """Return the settings, and the secrets that were among them."""
    rest = {name: value for name, value in settings.items() if name not in _SECRETS}
    try:
        secrets = inventory_pb.DeviceSecrets(**{n: settings[n] for n in settings.keys() & _SECRETS})
    except (ValueError, TypeError) as error:
        raise _unsendable(error) from None
    return rest, secrets


def _unsendable(error: Exception) -> MtdClientError:
    return MtdClientError(f"settings that can't be sent: {error}", code="INVALID_ARGUMENT", reason="SETTINGS")


def settings_message(settings: Mapping[str, Any]) -> inventory_pb.DeviceSettings:
    """Return settings as the protocol holds them. Raises MtdClientError for what can't be sent."""
    values = dict(settings)
    for name, (enum, prefix) in _WORDS.items():
        if name in values:
            optional = name in _OPTIONAL and not values[name]
            values[name] = 0 if optional else number_of(enum, values[name], prefix)
    if "ways" in values:
        values["ways"] = [number_of(device_pb2.Way, way, "WAY_") for way in values["ways"]]
    try:
        return inventory_pb.DeviceSettings(**values)
    except (ValueError, TypeError) as error:
        raise _unsendable(error) from None
