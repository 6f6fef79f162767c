"""Tenants: who shares this mtd without seeing each other."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from mtd.core.errors import AlreadyExists, Conflict, NotFound, Refused
from mtd.model.tenant import Quota, Quotas, Tenant, name_problem
from mtd.storage.errors import Duplicate
from mtd.storage.pool import Database
from mtd.storage.stores.quotas import quotas_of, write_quotas
from mtd.storage.txn import Row, Transaction

CHANNEL = "mtd_identity"
"""Notifications of what changed about tenants, quotas, users and tokens: table, tenant and id."""

FIELDS = frozenset({"name", "enabled", *(f"quotas.{quota}" for quota in Quota)})
"""What ``update`` changes."""


@dataclass(frozen=True, slots=True)
class TenantRecord:
    """A tenant as it is stored."""

    tenant_id: str
    name: str
    enabled: bool
    revision: int
    created_at: dt.datetime
    updated_at: dt.datetime
    quotas: Quotas = Quotas()


class TenantStore:
    """Creates, reads and changes tenants. It sees all of them: only for those who may."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, name: str, quotas: Quotas = Quotas()) -> TenantRecord:  # noqa: B008 - never changes
        """Add a tenant. Raises AlreadyExists if its name is taken, Refused for one that can't be."""
        _refuse_name(name)
        tenant_id = str(uuid.uuid4())

        async def insert(tx: Transaction) -> TenantRecord:
            await tx.execute("INSERT INTO tenant (tenant_id, name) VALUES (%s, %s)", [tenant_id, name])
            await write_quotas(tx, tenant_id, quotas)
            return await _find(tx, tenant_id)

        try:
            return await self._db.run("tenants.create", insert, tenant=tenant_id)
        except Duplicate:
            raise AlreadyExists(f"there is a tenant {name!r} already") from None

    async def get(self, tenant: str) -> TenantRecord:
        """Return a tenant by its name or id. Raises NotFound."""

        async def read(tx: Transaction) -> TenantRecord:
            return await _find(tx, tenant)

        return await self._db.run("tenants.get", read)

    async def list(self, *, after_name: str = "", limit: int = 100) -> list[TenantRecord]:
        """Return tenants by name, at most ``limit`` behind ``after_name``."""

        async def read(tx: Transaction) -> list[TenantRecord]:
            await tx.execute(f"{_SELECT} WHERE t.name > %s ORDER BY t.name LIMIT %s", [after_name, limit])
            return [_record(row) for row in tx.fetchall()]

        return await self._db.run("tenants.list", read)

    async def update(
        self,
        tenant: str,
        mask: Collection[str],
        *,
        name: str = "",
        enabled: bool = True,
        quotas: Quotas = Quotas(),  # noqa: B008 - never changes
        revision: int = 0,
    ) -> TenantRecord:
        """Change what the mask names, of FIELDS.

        Raises NotFound, Refused, AlreadyExists (the new name), and Conflict if the tenant was changed since
        ``revision`` (0: whatever it is).
        """
        unknown = sorted(set(mask) - FIELDS)
        if unknown:
            raise Refused(f"not fields of a tenant that can be changed: {', '.join(unknown)[:200]}")
        if "name" in mask:
            _refuse_name(name)
        changes = {f"{quota}": quotas.of(quota) for quota in Quota if f"quotas.{quota}" in mask}

        async def change(tx: Transaction) -> TenantRecord:
            before = await _find(tx, tenant, lock=True)
            if revision and before.revision != revision:
                raise Conflict(
                    f"tenant {before.name!r} is at revision {before.revision}, not {revision}: read it again"
                )
            await tx.execute(
                "UPDATE tenant SET name = %s, enabled = %s, revision = revision + 1, updated_at = now()"
                " WHERE tenant_id = %s",
                [
                    name if "name" in mask else before.name,
                    enabled if "enabled" in mask else before.enabled,
                    before.tenant_id,
                ],
            )
            if changes:
                await write_quotas(tx, before.tenant_id, replace(before.quotas, **changes))
            return await _find(tx, before.tenant_id)

        try:
            return await self._db.run("tenants.update", change)
        except Duplicate:
            raise AlreadyExists(f"there is a tenant {name!r} already") from None

    async def directory(self) -> Sequence[Tenant]:
        """Return all tenants, shortly."""

        async def read(tx: Transaction) -> Sequence[Tenant]:
            await tx.execute("SELECT tenant_id::text, name, enabled FROM tenant")
            return [Tenant(*row) for row in tx.fetchall()]

        return await self._db.run("tenants.directory", read)


_SELECT = (
    "SELECT t.tenant_id::text, t.name, t.enabled, t.revision, t.created_at, t.updated_at, "
    + ", ".join(f"q.{quota.value}" for quota in Quota)
    + " FROM tenant t LEFT JOIN quota q USING (tenant_id)"
)


async def _find(tx: Transaction, tenant: str, *, lock: bool = False) -> TenantRecord:
    await tx.execute(
        f"{_SELECT} WHERE t.tenant_id::text = %s OR t.name = %s{' FOR UPDATE OF t' if lock else ''}",
        [tenant, tenant],
    )
    row = tx.fetchone()
    if row is None:
        raise no_tenant(tenant)
    return _record(row)


def no_tenant(tenant: str) -> NotFound:
    """Return the error for a tenant that isn't there, or that the caller may not know of."""
    return NotFound(f"there is no tenant {tenant[:100]!r}")


def _record(row: Row) -> TenantRecord:
    tenant_id, name, enabled, revision, created_at, updated_at, *quotas = row
    return TenantRecord(tenant_id, name, enabled, revision, created_at, updated_at, quotas_of(tuple(quotas)))


def _refuse_name(name: str) -> None:
    if problem := name_problem(name):
        raise Refused(f"name: {problem}")
