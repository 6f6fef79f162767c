"""A daemon that serves one tenant: the others are as if they weren't there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import grpc
import pytest

from mtd.api.access.interfaces import Credentials
from mtd.app.tenancy import sole_tenant
from mtd.core.errors import Forbidden
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import CallerKind, Role
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb
from mtd.storage.pool import Database
from mtd.storage.stores.tenants import TenantStore
from mtd.testing import run_async
from tests.integration.app.identity_kit import Door, open_door, refused


def with_sole_door(dsn: str, body: Callable[[Door, str], Awaitable[None]], **security: object) -> None:
    """Run a test with a door that serves the tenant acme."""

    async def main() -> None:
        writer = Database.for_writing(dsn)
        acme = await sole_tenant("acme", TenantStore(writer))
        await writer.stop()
        async with open_door(dsn, sole=acme, **security) as door:
            await body(door, acme)

    run_async(main(), timeout_s=60)


def test_the_tenant_is_made_once(postgres_dsn: str) -> None:
    async def main() -> None:
        writer = Database.for_writing(postgres_dsn)
        store = TenantStore(writer)
        assert await sole_tenant("", store) == ""
        acme = await sole_tenant("acme", store)
        assert await sole_tenant("acme", store) == acme
        assert (await store.get("acme")).tenant_id == acme != DEFAULT_TENANT_ID
        assert await sole_tenant("default", store) == DEFAULT_TENANT_ID
        await writer.stop()

    run_async(main())


def test_callers_of_other_tenants_are_refused(postgres_dsn: str) -> None:
    async def body(door: Door, acme: str) -> None:
        request = pb.ListDevicesRequest()
        await door.showing(await door.token(acme, Role.ADMIN)).ListDevices(request)
        stranger = await door.token(DEFAULT_TENANT_ID, Role.ADMIN)
        for tenant in ("", "default", DEFAULT_TENANT_ID, "acme", acme):
            await refused(
                door.showing(stranger, tenant).ListDevices(request), grpc.StatusCode.PERMISSION_DENIED
            )

    with_sole_door(postgres_dsn, body)


def test_a_super_admin_works_for_it_and_for_no_other(postgres_dsn: str) -> None:
    async def body(door: Door, acme: str) -> None:
        gate = door.identity.tenancy.gate
        for tenant in ("", "acme", acme):
            caller = await gate.admit(Credentials("192.0.2.1:1", bearer=door.root_token, tenant=tenant))
            assert caller.tenant_id == acme
        for tenant in ("default", DEFAULT_TENANT_ID, "nobody"):
            with pytest.raises(Forbidden, match="there is no tenant") as refused:
                await gate.admit(Credentials("192.0.2.1:1", bearer=door.root_token, tenant=tenant))
            assert "mtd tenant list" in refused.value.hint

    with_sole_door(postgres_dsn, body)


def test_the_operator_on_the_machine_works_for_it(postgres_dsn: str) -> None:
    async def body(door: Door, acme: str) -> None:
        caller = await door.identity.tenancy.gate.admit(Credentials("127.0.0.1:1"))
        assert (caller.kind, caller.tenant_id) == (CallerKind.LOCAL, acme)
        caller = await door.identity.tenancy.gate.admit(Credentials("192.0.2.1:1"))
        assert (caller.kind, caller.tenant_id) == (CallerKind.UNKNOWN, acme)

    with_sole_door(postgres_dsn, body, trust_loopback=True)


def test_it_knows_no_other(postgres_dsn: str) -> None:
    async def body(door: Door, acme: str) -> None:
        tenancy = door.identity.tenancy
        assert tenancy.serves(acme)
        assert not tenancy.serves(DEFAULT_TENANT_ID)
        assert [tenant.name for tenant in await tenancy.directory.all()] == ["acme"]
        assert await tenancy.directory.tenant(DEFAULT_TENANT_ID) is None

    with_sole_door(postgres_dsn, body)
