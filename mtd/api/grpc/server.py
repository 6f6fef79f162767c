"""The gRPC door: put together, opened, closed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from mtd.api.access.interfaces import Auditor, Gatekeeper
from mtd.api.access.rules import rules_of
from mtd.api.access.running import RunningCalls
from mtd.api.config import GrpcConfig
from mtd.api.grpc.conventions import Conventions
from mtd.api.grpc.deadlines import Deadlines
from mtd.api.grpc.diagnostics import DiagnosticsServicer
from mtd.api.grpc.discovery import DiscoveryServicer
from mtd.api.grpc.event_feed import EventFeeds
from mtd.api.grpc.interceptors import CallInterceptor
from mtd.api.grpc.inventory import InventoryServicer
from mtd.api.grpc.page_tokens import PageSeal
from mtd.api.grpc.repeats import Repeats, RequestStore
from mtd.api.grpc.stream_hub import StreamHub
from mtd.api.grpc.telemetry import TelemetryServicer
from mtd.api.interfaces import DiagnosticsBackend, DiscoveryBackend, InventoryBackend, TelemetryBackend
from mtd.api.tls.config import ClientAuth
from mtd.api.tls.grpc_door import server_credentials
from mtd.api.tls.material import LiveMaterial
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.errors import Bug, Misconfigured
from mtd.model.catalogue import Catalogue
from mtd.pb.admin.v1 import (
    audit_service_pb2,
    collector_service_pb2,
    ingest_key_service_pb2,
    polling_service_pb2,
    service_level_service_pb2,
    tenant_service_pb2,
    token_service_pb2,
    user_service_pb2,
)
from mtd.pb.collector.v1 import collector_link_service_pb2
from mtd.pb.diagnostics.v1 import diagnostics_service_pb2
from mtd.pb.diagnostics.v1.diagnostics_service_pb2_grpc import add_DiagnosticsServiceServicer_to_server
from mtd.pb.flows.v1 import flow_service_pb2
from mtd.pb.ingest.v1 import enrollment_service_pb2, ingest_service_pb2
from mtd.pb.inventory.v1 import (
    credential_service_pb2,
    device_group_service_pb2,
    discovery_service_pb2,
    inventory_service_pb2,
    site_service_pb2,
)
from mtd.pb.inventory.v1.discovery_service_pb2_grpc import add_DiscoveryServiceServicer_to_server
from mtd.pb.inventory.v1.inventory_service_pb2_grpc import add_InventoryServiceServicer_to_server
from mtd.pb.logs.v1 import log_service_pb2
from mtd.pb.telemetry.v1 import telemetry_service_pb2
from mtd.pb.telemetry.v1.telemetry_service_pb2_grpc import add_TelemetryServiceServicer_to_server

logger = logging.getLogger(__name__)

DESCRIPTORS = (
    telemetry_service_pb2.DESCRIPTOR.services_by_name["TelemetryService"],
    log_service_pb2.DESCRIPTOR.services_by_name["LogService"],
    flow_service_pb2.DESCRIPTOR.services_by_name["FlowService"],
    inventory_service_pb2.DESCRIPTOR.services_by_name["InventoryService"],
    site_service_pb2.DESCRIPTOR.services_by_name["SiteService"],
    device_group_service_pb2.DESCRIPTOR.services_by_name["DeviceGroupService"],
    credential_service_pb2.DESCRIPTOR.services_by_name["CredentialSetService"],
    discovery_service_pb2.DESCRIPTOR.services_by_name["DiscoveryService"],
    diagnostics_service_pb2.DESCRIPTOR.services_by_name["DiagnosticsService"],
    audit_service_pb2.DESCRIPTOR.services_by_name["AuditService"],
    tenant_service_pb2.DESCRIPTOR.services_by_name["TenantService"],
    collector_service_pb2.DESCRIPTOR.services_by_name["CollectorService"],
    polling_service_pb2.DESCRIPTOR.services_by_name["PollingService"],
    service_level_service_pb2.DESCRIPTOR.services_by_name["ServiceLevelService"],
    enrollment_service_pb2.DESCRIPTOR.services_by_name["EnrollmentService"],
    collector_link_service_pb2.DESCRIPTOR.services_by_name["CollectorLinkService"],
    ingest_service_pb2.DESCRIPTOR.services_by_name["IngestService"],
    ingest_key_service_pb2.DESCRIPTOR.services_by_name["IngestKeyService"],
    user_service_pb2.DESCRIPTOR.services_by_name["UserService"],
    token_service_pb2.DESCRIPTOR.services_by_name["TokenService"],
)
"""All services of mtd's own."""

SERVICES = tuple(service.full_name for service in DESCRIPTORS)


@dataclass(frozen=True, slots=True)
class ServicePart:
    """A service beside those of the context: its servicer, and the generated function that adds it to a server.

    ``drain`` sends the callers of its streams away, to another hub if there is one. ``message_bytes``: the largest
    message that it takes, where that may be larger than ``grpc.max_receive_bytes``.
    """

    add: Callable[[Any, grpc.aio.Server], None]
    servicer: object
    drain: Callable[[], None] | None = None
    message_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ApiContext:
    """What the door serves, and who lets callers in. ``page_key`` seals page tokens: doors that share it take each other's."""

    inventory: InventoryBackend
    discovery: DiscoveryBackend
    diagnostics: DiagnosticsBackend
    telemetry: TelemetryBackend
    catalogue: Catalogue
    hub: StreamHub
    feeds: EventFeeds
    config: GrpcConfig
    gate: Gatekeeper
    auditor: Auditor
    requests: RequestStore
    page_key: bytes = field(repr=False)
    parts: Sequence[ServicePart] = ()
    clock: Clock = SYSTEM_CLOCK
    running: RunningCalls = field(default_factory=RunningCalls)
    tls: LiveMaterial | None = None
    follow_traces: bool = True


class GrpcServer:
    """One gRPC server on the running loop. ``port`` is known once it is started."""

    def __init__(self, context: ApiContext) -> None:
        self._context = context
        self._server: grpc.aio.Server | None = None
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        self.port = 0
        self.client_port = 0  # for callers with certificates, where they have one

    async def start(self) -> None:
        """Listen. Raises Misconfigured if the port can't be had."""
        config = self._context.config
        server = grpc.aio.server(
            interceptors=[
                CallInterceptor(
                    Deadlines.of(config),
                    self._context.clock,
                    self._context.gate,
                    self._context.auditor,
                    rules_of(DESCRIPTORS),
                    Conventions(PageSeal(self._context.page_key), Repeats(self._context.requests)),
                    self._context.running,
                    follow_traces=self._context.follow_traces,
                )
            ],
            options=_options(config, self._context.parts),
            maximum_concurrent_rpcs=config.max_concurrent_calls,
        )
        self._add_services(server)
        self._add_ports(server)
        await server.start()
        self._server = server
        await self.set_serving(True)
        logger.info(
            "gRPC listens on %s port %d%s", config.host, self.port, " with TLS" if config.tls.on else ""
        )
        if self.client_port:
            logger.info(
                "gRPC listens on %s port %d for callers with certificates", config.host, self.client_port
            )

    def _add_ports(self, server: grpc.aio.Server) -> None:
        tls, live = self._context.config.tls, self._context.tls
        if not tls.on:
            self.port = self._add_port(server, "port", None)
            return
        if live is None:
            raise Bug("the gRPC door is to speak TLS, and has no certificate")
        demands = tls.client_auth is ClientAuth.REQUIRED
        self.port = self._add_port(
            server, "port", server_credentials(live, "grpc", demand_certificates=demands)
        )
        if tls.has_client_port:
            credentials = server_credentials(live, "grpc-clients", demand_certificates=True)
            self.client_port = self._add_port(server, "tls.client_port", credentials)

    def _add_port(
        self, server: grpc.aio.Server, setting: str, credentials: grpc.ServerCredentials | None
    ) -> int:
        config = self._context.config
        port = config.port if setting == "port" else config.tls.client_port
        address = f"[{config.host}]:{port}" if ":" in config.host else f"{config.host}:{port}"
        try:
            if credentials is None:
                return server.add_insecure_port(address)
            return server.add_secure_port(address, credentials)
        except RuntimeError:
            raise Misconfigured(
                f"can't listen on {config.host} port {port} for gRPC: "
                f"the port is taken or the address isn't this machine's; set grpc.{setting}"
            ) from None

    async def set_serving(self, serving: bool) -> None:
        """Tell those who ask for health, or watch it, whether mtd does its work. Before the start: no effect."""
        if self._server is None:
            return
        status = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for service in ("", *SERVICES):
            await self._health.set(service, status)

    async def stop(self) -> None:
        """Tell health checks and streams, let calls end within the grace time, close."""
        if self._server is None:
            return
        await self._health.enter_graceful_shutdown()
        for part in self._context.parts:
            if part.drain is not None:
                part.drain()
        await self._context.hub.stop()
        await self._context.feeds.stop()
        await self._server.stop(self._context.config.stop_grace_s)
        self._server = None

    def _add_services(self, server: grpc.aio.Server) -> None:
        context = self._context
        add_TelemetryServiceServicer_to_server(
            TelemetryServicer(
                context.telemetry,
                context.catalogue,
                context.hub,
                context.feeds,
                context.config,
            ),
            server,
        )
        add_InventoryServiceServicer_to_server(InventoryServicer(context.inventory), server)
        add_DiscoveryServiceServicer_to_server(DiscoveryServicer(context.discovery), server)
        add_DiagnosticsServiceServicer_to_server(DiagnosticsServicer(context.diagnostics), server)
        for part in context.parts:
            part.add(part.servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)


def build_server(context: ApiContext) -> GrpcServer:
    """Return the door, closed."""
    return GrpcServer(context)


def _options(config: GrpcConfig, parts: Sequence[ServicePart]) -> list[tuple[str, int]]:
    return [
        # Two daemons on one port would each get half of the calls.
        ("grpc.so_reuseport", 0),
        (
            "grpc.max_receive_message_length",
            max([config.max_receive_bytes, *(part.message_bytes for part in parts)]),
        ),
        ("grpc.max_send_message_length", config.max_send_bytes),
        ("grpc.keepalive_time_ms", int(config.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(config.keepalive_timeout_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", int(config.min_client_ping_s * 1000)),
    ]
