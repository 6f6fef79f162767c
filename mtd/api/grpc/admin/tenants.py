"""TenantService: tenants, and what they may use."""

from __future__ import annotations

from google.protobuf.message import Message

from mtd.api.access.current import principal
from mtd.api.admin_interfaces import QuotaUse, TenantBackend
from mtd.api.grpc.admin.common import page_size_of, timestamp
from mtd.api.grpc.types import Context
from mtd.core.errors import NotFound, Refused
from mtd.model.tenant import Quota, Quotas
from mtd.pb.admin.v1 import tenant_service_pb2 as pb
from mtd.pb.admin.v1.tenant_service_pb2_grpc import TenantServiceServicer
from mtd.storage.stores.tenants import TenantRecord, no_tenant

_QUOTAS = "quotas"


class TenantServicer(TenantServiceServicer):
    """Checks whose tenant is asked for, and asks the backend."""

    def __init__(self, backend: TenantBackend) -> None:
        self._backend = backend

    async def CreateTenant(
        self, request: pb.CreateTenantRequest, context: Context
    ) -> pb.CreateTenantResponse:
        """Add a tenant."""
        record = await self._backend.create(request.name, quotas_of(request.quotas))
        return pb.CreateTenantResponse(tenant=tenant_message(record))

    async def GetTenant(self, request: pb.GetTenantRequest, context: Context) -> pb.GetTenantResponse:
        """Read a tenant."""
        return pb.GetTenantResponse(tenant=tenant_message(await self._visible(request.tenant)))

    async def ListTenants(self, request: pb.ListTenantsRequest, context: Context) -> pb.ListTenantsResponse:
        """Read a page of tenants: for an administrator, its own."""
        caller = principal()
        if not caller.crosses_tenants:
            own = await self._backend.get(caller.tenant_id)
            return pb.ListTenantsResponse(tenants=[tenant_message(own)])
        size = page_size_of(request.page_size)
        found = list(await self._backend.list(request.page_token, size + 1))
        return pb.ListTenantsResponse(
            tenants=map(tenant_message, found[:size]),
            next_page_token=found[size - 1].name if len(found) > size else "",
        )

    async def UpdateTenant(
        self, request: pb.UpdateTenantRequest, context: Context
    ) -> pb.UpdateTenantResponse:
        """Change a tenant."""
        mask = set(request.update_mask.paths)
        if not mask:
            raise Refused("nothing to change: name fields in the update mask")
        if not request.tenant:
            raise Refused("tenant: name the tenant to change")
        if _QUOTAS in mask:
            mask = (mask - {_QUOTAS}) | {f"{_QUOTAS}.{quota}" for quota in Quota}
        record = await self._backend.update(
            request.tenant, mask, request.name, request.enabled, quotas_of(request.quotas), request.revision
        )
        return pb.UpdateTenantResponse(tenant=tenant_message(record))

    async def GetQuotaUsage(
        self, request: pb.GetQuotaUsageRequest, context: Context
    ) -> pb.GetQuotaUsageResponse:
        """Tell what a tenant uses."""
        record = await self._visible(request.tenant)
        usage = await self._backend.usage(record.tenant_id, record.quotas)
        return pb.GetQuotaUsageResponse(
            tenant_id=record.tenant_id, tenant_name=record.name, usage=map(_usage_message, usage)
        )

    async def _visible(self, tenant: str) -> TenantRecord:
        """Return a tenant that the caller may see. To others it isn't there, whether or not it is."""
        caller = principal()
        try:
            record = await self._backend.get(tenant or caller.tenant_id)
        except NotFound:
            raise no_tenant(tenant) from None
        if record.tenant_id != caller.tenant_id and not caller.crosses_tenants:
            raise no_tenant(tenant)
        return record


def quotas_of(message: pb.Quotas) -> Quotas:
    """Return quotas of the protocol."""
    return Quotas(**{quota.value: _present(message, quota.value) for quota in Quota})


def tenant_message(record: TenantRecord) -> pb.Tenant:
    """Return a tenant as the protocol shows it."""
    limits = {quota.value: record.quotas.of(quota) for quota in Quota}
    return pb.Tenant(
        id=record.tenant_id,
        name=record.name,
        enabled=record.enabled,
        quotas=pb.Quotas(**limits),
        revision=record.revision,
        create_time=timestamp(record.created_at),
        update_time=timestamp(record.updated_at),
    )


def _usage_message(use: QuotaUse) -> pb.QuotaUsage:
    return pb.QuotaUsage(quota=use.quota.value, limit=use.limit, used=use.used, note=use.note)


def _present(message: Message, field: str) -> int | None:
    return getattr(message, field) if message.HasField(field) else None
