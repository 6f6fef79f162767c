"""A channel, its options, and the stubs on it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypedDict

from mtd.client.audit import AUDIT
from mtd.client.collectors import COLLECTORS, ENROLLMENT
from mtd.client.credential_sets import CREDENTIALS
from mtd.client.credentials import Credentials, Token
from mtd.client.discovery import DISCOVERY
from mtd.client.flows import FLOWS
from mtd.client.identity import TENANTS, TOKENS, USERS
from mtd.client.ingest import INGEST, INGEST_KEYS
from mtd.client.linking import LINK
from mtd.client.logs import LOGS
from mtd.client.places import GROUPS, SITES
from mtd.client.polling import POLLING
from mtd.client.requests import INVENTORY, TELEMETRY
from mtd.client.service_levels import SERVICE_LEVELS
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


STUBS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        INVENTORY: ("inventory.v1.inventory_service", "InventoryService"),
        SITES: ("inventory.v1.site_service", "SiteService"),
        GROUPS: ("inventory.v1.device_group_service", "DeviceGroupService"),
        CREDENTIALS: ("inventory.v1.credential_service", "CredentialSetService"),
        DISCOVERY: ("inventory.v1.discovery_service", "DiscoveryService"),
        DIAGNOSTICS: ("diagnostics.v1.diagnostics_service", "DiagnosticsService"),
        TELEMETRY: ("telemetry.v1.telemetry_service", "TelemetryService"),
        INGEST: ("ingest.v1.ingest_service", "IngestService"),
        INGEST_KEYS: ("admin.v1.ingest_key_service", "IngestKeyService"),
        AUDIT: ("admin.v1.audit_service", "AuditService"),
        TENANTS: ("admin.v1.tenant_service", "TenantService"),
        USERS: ("admin.v1.user_service", "UserService"),
        TOKENS: ("admin.v1.token_service", "TokenService"),
        COLLECTORS: ("admin.v1.collector_service", "CollectorService"),
        POLLING: ("admin.v1.polling_service", "PollingService"),
        SERVICE_LEVELS: ("admin.v1.service_level_service", "ServiceLevelService"),
        LINK: ("collector.v1.collector_link_service", "CollectorLinkService"),
        LOGS: ("logs.v1.log_service", "LogService"),
        FLOWS: ("flows.v1.flow_service", "FlowService"),
        ENROLLMENT: ("ingest.v1.enrollment_service", "EnrollmentService"),
    }
)
"""Where the stub of a service is: the file of the protocol, and the service in it."""


def stub_on(channel: Any, service: str) -> Any:
    """Return the stub of a service. Imported when it is needed: the generated modules import gRPC."""
    file, name = STUBS[service]
    module = importlib.import_module(f"mtd.pb.{file}_pb2_grpc")
    return getattr(module, f"{name}Stub")(channel)
