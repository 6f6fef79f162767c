"""What tenants may use, and how much of it they do."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mtd.core.errors import QuotaExceeded, Refused
from mtd.model.tenant import Quota, Quotas
from mtd.storage.metrics import QUOTA_REFUSED
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

QUOTA_COLUMNS = ", ".join(quota.value for quota in Quota)

_COUNTS = {
    Quota.DEVICES: "SELECT count(*) FROM device WHERE tenant_id = %s",
    Quota.COLLECTORS: "SELECT count(*) FROM collector WHERE tenant_id = %s AND state <> 'disabled'",
}


_MOST_TENANTS = 1000


@dataclass(frozen=True, slots=True)
class QuotaUsed:
    """How much of a quota a tenant uses."""

    tenant: str
    quota: Quota
    limit: int
    used: int


class QuotaStore:
    """Reads the quotas of tenants, and counts what they are of."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def limits(self, tenant_id: str) -> Quotas:
        """Return what a tenant may use; nothing is limited for one without quotas."""

        async def read(tx: Transaction) -> Quotas:
            return await _limits(tx, tenant_id)

        return await self._db.run("quotas.limits", read, tenant=tenant_id)

    async def used(self, tenant_id: str, quota: Quota) -> int:
        """Return how many devices, or collectors, a tenant has."""

        async def count(tx: Transaction) -> int:
            return await _count(tx, _COUNTS[quota], tenant_id)

        return await self._db.run("quotas.used", count, tenant=tenant_id)

    async def uses(self, quotas: Collection[Quota]) -> list[QuotaUsed]:
        """Return what the tenants that have a limit use of it: of devices and collectors."""

        async def read(tx: Transaction) -> list[QuotaUsed]:
            found = []
            for quota in quotas:
                counted = _COUNTS[quota].replace("%s", "q.tenant_id")
                await tx.execute(
                    f"SELECT t.name, q.{quota.value}, ({counted}) FROM quota q JOIN tenant t USING (tenant_id)"
                    f" WHERE q.{quota.value} IS NOT NULL ORDER BY t.name LIMIT {_MOST_TENANTS}"
                )
                found += [QuotaUsed(name, quota, limit, used) for name, limit, used in tx.fetchall()]
            return found

        return await self._db.run("quotas.uses", read)


async def refuse_over_quota(
    tx: Transaction, tenant_id: str, quota: Quota, more: int = 1, *, count_sql: str = ""
) -> None:
    """Raise QuotaExceeded unless a tenant may have so many more; called before they are inserted, in their transaction.

    Until it ends, others who ask for the same wait: two can't take the last place. ``count_sql`` counts what the
    tenant ``%s`` has, where this module doesn't know how.
    """
    limit = (await _limits(tx, tenant_id)).of(quota)
    if limit is None:
        return
    await tx.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"mtd quota {quota} {tenant_id}"]
    )
    here = await _count(tx, count_sql or _COUNTS[quota], tenant_id)
    if here + more > limit:
        QUOTA_REFUSED.labels(quota=quota.value).inc()
        raise QuotaExceeded(
            f"the tenant may have {limit} {quota} and has {here}: {more} more would be too many",
            hint="remove some that aren't needed, or ask who runs mtd for a larger quota",
        )


async def write_quotas(tx: Transaction, tenant_id: str, quotas: Quotas) -> None:
    """Set all quotas of a tenant. Raises Refused for those that make no sense."""
    if problems := quotas.problems():
        raise Refused("; ".join(problems))
    values = [quotas.of(quota) for quota in Quota]
    marks = ", ".join(["%s"] * len(values))
    pairs = ", ".join(f"{quota.value} = excluded.{quota.value}" for quota in Quota)
    await tx.execute(
        f"INSERT INTO quota (tenant_id, {QUOTA_COLUMNS}) VALUES (%s, {marks})"
        f" ON CONFLICT (tenant_id) DO UPDATE SET {pairs}, updated_at = now()",
        [tenant_id, *values],
    )


def quotas_of(row: Row) -> Quotas:
    """Return the quotas of a row of QUOTA_COLUMNS."""
    return Quotas(**{quota.value: value for quota, value in zip(Quota, row, strict=True)})


async def _limits(tx: Transaction, tenant_id: str) -> Quotas:
    await tx.execute(f"SELECT {QUOTA_COLUMNS} FROM quota WHERE tenant_id = %s", [tenant_id])
    row = tx.fetchone()
    return Quotas() if row is None else quotas_of(row)


async def _count(tx: Transaction, sql: str, tenant_id: str) -> int:
    await tx.execute(sql, [tenant_id])
    row = tx.fetchone()
    return int(row[0]) if row else 0
