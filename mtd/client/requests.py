"""Calls: which method, what is asked, how the answer is read. Shared by both clients."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypedDict, TypeVar

from mtd.client.errors import MtdClientError
from mtd.client.values import (
    Catalogue,
    ConnectionTest,
    Device,
    RangeResult,
    catalogue_of,
    connection_test_of,
    device_of,
    range_of,
)
from mtd.pb.common.v1 import device_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory_pb
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as telemetry_pb

T = TypeVar("T")

INVENTORY = "inventory"
TELEMETRY = "telemetry"

PAGE_SIZE = 500

POSITION_KEY = "mtd-position"
"""Initial metadata of StreamEvents: the position that the stream begins behind."""

# A router may take its time to refuse: the daemon bounds these, not the caller's default.
SLOW_CALL_S = 60.0


class Settings(TypedDict, total=False):
    """Settings of a device; see ``DeviceSettings`` in the protocol. Enumerations are words."""

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


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One unary call. ``min_timeout_s`` raises a shorter default time-out."""

    service: str
    method: str
    request: Any
    read: Callable[[Any], T]
    min_timeout_s: float = 0.0


def create_device(password: str, settings: Mapping[str, Any]) -> Call[Device]:
    """Build CreateDevice. Devices are enabled, and in clear text, unless told otherwise."""
    message = _settings({"enabled": True, "tls_mode": "off", **settings})
    request = inventory_pb.CreateDeviceRequest(settings=message, password=password)
    return Call(INVENTORY, "CreateDevice", request, lambda answer: device_of(answer.device))


def get_device(device: str) -> Call[Device]:
    """Build GetDevice."""
    request = inventory_pb.GetDeviceRequest(device=device)
    return Call(INVENTORY, "GetDevice", request, lambda answer: device_of(answer.device))


def list_page(token: str) -> Call[tuple[list[Device], str]]:
    """Build ListDevices; the answer is the devices and the next token."""
    request = inventory_pb.ListDevicesRequest(page_size=PAGE_SIZE, page_token=token)
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
    request = inventory_pb.UpdateDeviceRequest(
        device=device, settings=_settings(settings), password=password, revision=revision
    )
    request.update_mask.paths.extend(sorted(settings))
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
        request = inventory_pb.TestConnectionRequest(
            settings=_settings({"tls_mode": "off", **settings}), password=password
        )
    return Call(INVENTORY, "TestConnection", request, connection_test_of, SLOW_CALL_S)


test_connection.__test__ = False  # type: ignore[attr-defined]  # pytest, this is no test


def refresh_capabilities(device: str) -> Call[Device]:
    """Build RefreshCapabilities."""
    request = inventory_pb.RefreshCapabilitiesRequest(device=device)
    return Call(
        INVENTORY, "RefreshCapabilities", request, lambda answer: device_of(answer.device), SLOW_CALL_S
    )


def list_metrics() -> Call[Catalogue]:
    """Build ListMetrics."""
    return Call(TELEMETRY, "ListMetrics", telemetry_pb.ListMetricsRequest(), catalogue_of)


def query_range(
    device: str,
    metrics: Sequence[str],
    start: dt.datetime | int,
    end: dt.datetime | int,
    max_points: int,
) -> Call[RangeResult]:
    """Build QueryRange. Times are aware datetimes, or microseconds since the epoch."""
    request = telemetry_pb.QueryRangeRequest(
        device=device,
        metrics=metrics,
        start_us=microseconds(start),
        end_us=microseconds(end),
        max_points=max_points,
    )
    return Call(TELEMETRY, "QueryRange", request, range_of)


def latest_request(devices: Sequence[str], metrics: Sequence[str]) -> telemetry_pb.StreamLatestRequest:
    """Build the request of StreamLatest."""
    return telemetry_pb.StreamLatestRequest(selector=telemetry_pb.Selector(devices=devices, metrics=metrics))


def events_request(
    devices: Sequence[str], min_severity: str, *, until_now: bool
) -> telemetry_pb.StreamEventsRequest:
    """Build the request of StreamEvents; the position is set for each attempt."""
    return telemetry_pb.StreamEventsRequest(
        devices=devices,
        min_severity=_number(device_pb2.Severity, min_severity, "SEVERITY_"),
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


def _settings(settings: Mapping[str, Any]) -> inventory_pb.DeviceSettings:
    values = dict(settings)
    if "tls_mode" in values:
        values["tls_mode"] = _number(device_pb2.TlsMode, values["tls_mode"], "TLS_MODE_")
    if "interface_naming" in values:
        values["interface_naming"] = _number(
            device_pb2.InterfaceNaming, values["interface_naming"], "INTERFACE_NAMING_"
        )
    try:
        return inventory_pb.DeviceSettings(**values)
    except (ValueError, TypeError) as error:
        raise MtdClientError(
            f"settings that can't be sent: {error}", code="INVALID_ARGUMENT", reason="SETTINGS"
        ) from None


def _number(enum: Any, given: str, prefix: str) -> Any:
    # Zero is "unspecified" everywhere: no word for callers.
    known = {key.removeprefix(prefix).lower(): number for key, number in enum.items() if number}
    if given.lower() not in known:
        raise MtdClientError(
            f"{given!r} isn't one of {', '.join(known)}", code="INVALID_ARGUMENT", reason="UNKNOWN_WORD"
        )
    return known[given.lower()]
