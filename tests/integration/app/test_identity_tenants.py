"""New tenants at the door: what they have, and who gives it to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from mtd.app import tenancy, token_verifier
from mtd.app.quota_metrics import measure
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.tenant import Quota
from mtd.pb.admin.v1 import tenant_service_pb2 as tenant_pb
from mtd.pb.common.v1 import access_pb2
from mtd.storage.txn import Transaction
from mtd.testing import run_async
from mtd.testing.metrics import metric
from tests.integration.app.identity_kit import Door, open_door

CODE = grpc.StatusCode
PASSWORD = "correct horse battery"
VIEWER, OPERATOR = access_pb2.ROLE_VIEWER, access_pb2.ROLE_OPERATOR
ADMIN, SUPER = access_pb2.ROLE_ADMIN, access_pb2.ROLE_SUPER_ADMIN


@pytest.fixture(autouse=True)
def remembering_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have all that is remembered be dropped because PostgreSQL tells so, and not as time goes on."""
    monkeypatch.setattr(tenancy, "_KEPT_S", 3600.0)
    monkeypatch.setattr(token_verifier, "_KEPT_S", 3600.0)


def with_door(dsn: str, body: Callable[[Door], Awaitable[None]], **security: Any) -> None:
    async def main() -> None:
        async with open_door(dsn, **security) as door:
            await body(door)

    run_async(main(), timeout_s=60)


async def tenant(door: Door, name: str, **quotas: int) -> str:
    request = tenant_pb.CreateTenantRequest(name=name, quotas=tenant_pb.Quotas(**quotas))
    return str((await door.root.CreateTenant(request)).tenant.id)


def test_a_new_tenant_has_the_catalogue_and_its_quotas(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        north = await tenant(door, "north", devices=2, retention_days=7, collectors=0)

        async def count(tx: Transaction) -> list[tuple[Any, ...]]:
            await tx.execute("SELECT tenant_id::text, count(*) FROM metric GROUP BY 1")
            return tx.fetchall()

        counted = dict(await door.writer.run("test.count", count))
        assert counted[north] == counted[DEFAULT_TENANT_ID] > 0
        answer = await door.root.GetQuotaUsage(tenant_pb.GetQuotaUsageRequest(tenant="north"))
        usage = {one.quota: one for one in answer.usage}
        assert (usage["devices"].limit, usage["devices"].used) == (2, 0)
        assert usage["collectors"].HasField("limit")
        assert (usage["collectors"].limit, usage["collectors"].used) == (0, 0)
        assert (usage["retention_days"].limit, usage["retention_days"].used) == (7, 90)
        assert "raw_days = 7" in usage["retention_days"].note
        assert not usage["ingest_points_per_s"].HasField("limit")
        assert not usage["ingest_points_per_s"].HasField("used")
        assert (await door.identity.tenancy.book.limits(north)).devices == 2
        assert await door.identity.limit(Quota.RETENTION_DAYS)(north) == 7
        await measure(door.identity.tenancy.quotas)
        labels = {"tenant": "north", "quota": "devices"}
        assert metric("mtd_app_quota_limit", **labels) == 2
        assert metric("mtd_app_quota_used", **labels) == 0
        more = tenant_pb.UpdateTenantRequest(
            tenant="north", quotas=tenant_pb.Quotas(devices=5), update_mask={"paths": ["quotas"]}
        )
        changed = (await door.root.UpdateTenant(more)).tenant
        assert changed.quotas == tenant_pb.Quotas(devices=5)
        async with asyncio.timeout(20):
            while (await door.identity.tenancy.book.limits(north)).devices != 5:
                await asyncio.sleep(0.005)

    with_door(postgres_dsn, body)


def test_a_tenant_made_elsewhere_gets_the_catalogue(postgres_dsn: str) -> None:
    async def body(door: Door) -> None:
        made = await door.identity.tenancy.tenants.create("north")

        async def count(tx: Transaction) -> int:
            await tx.execute("SELECT count(*) FROM metric WHERE tenant_id = %s", [made.tenant_id])
            row = tx.fetchone()
            return int(row[0]) if row else 0

        async with asyncio.timeout(20):
            while not await door.writer.run("test.count", count):
                await asyncio.sleep(0.01)

    with_door(postgres_dsn, body)
