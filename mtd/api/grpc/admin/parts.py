"""The services of tenants, users and tokens, as parts of the door."""

from __future__ import annotations

from collections.abc import Collection

from mtd.api.access.interfaces import Tenants
from mtd.api.admin_interfaces import TenantBackend, TokenBackend, UserBackend
from mtd.api.grpc.admin.tenants import TenantServicer
from mtd.api.grpc.admin.tokens import TokenServicer
from mtd.api.grpc.admin.users import UserServicer
from mtd.api.grpc.server import ServicePart
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.pb.admin.v1.tenant_service_pb2_grpc import add_TenantServiceServicer_to_server
from mtd.pb.admin.v1.token_service_pb2_grpc import add_TokenServiceServicer_to_server
from mtd.pb.admin.v1.user_service_pb2_grpc import add_UserServiceServicer_to_server


def tenant_part(backend: TenantBackend) -> ServicePart:
    """Return TenantService."""
    return ServicePart(add_TenantServiceServicer_to_server, TenantServicer(backend))


def user_part(backend: UserBackend, tenants: Tenants) -> ServicePart:
    """Return UserService."""
    return ServicePart(add_UserServiceServicer_to_server, UserServicer(backend, tenants))


def token_part(backend: TokenBackend, scopes: Collection[str], clock: Clock = SYSTEM_CLOCK) -> ServicePart:
    """Return TokenService; ``scopes`` are all that there are."""
    return ServicePart(add_TokenServiceServicer_to_server, TokenServicer(backend, scopes, clock=clock))
