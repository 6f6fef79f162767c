"""Options of a channel, and the stubs on it."""

from __future__ import annotations

from typing import Any

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
