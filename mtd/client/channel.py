"""A channel, its options, and the stubs on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

from mtd.client.credentials import Credentials, Token
from mtd.client.discovery import DISCOVERY
from mtd.client.requests import INVENTORY, TELEMETRY
from mtd.client.tools import DIAGNOSTICS

MIB = 1024 * 1024

OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", 64 * MIB),
    # A dead peer behind a silent network is noticed within 30 s.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 0),
    # The client has its own back-off; gRPC's two minutes would outlast it.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # How long an attempt may take, whatever the name says: a busy daemon answers late.
    ("grpc.min_reconnect_backoff_ms", 5_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # An http_proxy in the environment is not meant for this.
    ("grpc.enable_http_proxy", 0),
)


class Options(TypedDict, total=False):
    """How a client says who it is, and how it knows the daemon.

    ``token`` is an API token, or a function that returns it; ``tenant``, by
    name or id, is for those who may choose one. ``ca_file`` holds the CA
    certificates that the daemon's has to be signed by, ``certificate_file`` and
    ``key_file`` the client's own for mutual TLS, all PEM; any of them, or
    ``tls``, means TLS. ``tls`` alone trusts the public CAs.
    """

    token: Token
    tenant: str
    tls: bool
    ca_file: str | Path | None
    certificate_file: str | Path | None
    key_file: str | Path | None


def open_channel(grpc: Any, target: str, credentials: Credentials) -> Any:
    """Return a channel of the module ``grpc`` or ``grpc.aio``."""
    secure = credentials.channel_credentials()
    if secure is None:
        return grpc.insecure_channel(target, options=OPTIONS)
    return grpc.secure_channel(target, secure, options=OPTIONS)


def stubs_on(channel: Any) -> dict[str, Any]:
    """Return the stubs by service. Imported here: the generated modules import gRPC."""
    from mtd.pb.diagnostics.v1.diagnostics_service_pb2_grpc import DiagnosticsServiceStub
    from mtd.pb.inventory.v1.discovery_service_pb2_grpc import DiscoveryServiceStub
    from mtd.pb.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
    from mtd.pb.telemetry.v1.telemetry_service_pb2_grpc import TelemetryServiceStub

    return {
        INVENTORY: InventoryServiceStub(channel),
        DISCOVERY: DiscoveryServiceStub(channel),
        DIAGNOSTICS: DiagnosticsServiceStub(channel),
        TELEMETRY: TelemetryServiceStub(channel),
    }
