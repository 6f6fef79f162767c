"""What outcomes of polls that come late change about what is known of devices."""

from __future__ import annotations

from collections.abc import Mapping

from mtd.storage import literals
from mtd.storage.stores.status import DeviceKey
from mtd.storage.txn import Transaction


async def load_before(tx: Transaction, late: Mapping[DeviceKey, int]) -> dict[DeviceKey, tuple[str, str]]:
    """Return status and outcome of devices before these times; those of which nothing older is known are missing."""
    if not late:
        return {}
    await tx.execute(
        "SELECT t.tenant_id::text, t.device_id::text, h.status, h.outcome"
        " FROM unnest(%s::uuid[], %s::uuid[], %s::int8[]) AS t (tenant_id, device_id, us), LATERAL ("
        "  SELECT o.status, o.outcome FROM device_health o WHERE o.tenant_id = t.tenant_id"
        "  AND o.device_id = t.device_id AND o.ts_collected < from_us(t.us) ORDER BY o.ts_collected DESC LIMIT 1) h",
        _columns(late),
    )
    return {
        (tenant_id, device_id): (status, outcome) for tenant_id, device_id, status, outcome in tx.fetchall()
    }


async def correct_since(tx: Transaction, late: Mapping[DeviceKey, int]) -> None:
    """Put right since when devices are what they are: late outcomes may tell that they were so before.

    To be called when the outcomes stand on the timeline, and the status is stored.
    """
    if not late:
        return
    await tx.execute(
        "UPDATE device_status s SET since = found.since"
        " FROM unnest(%s::uuid[], %s::uuid[], %s::int8[]) AS t (tenant_id, device_id, us), LATERAL ("
        "  SELECT min(o.ts_collected) AS since FROM device_status d JOIN device_health o USING (tenant_id, device_id)"
        "  WHERE d.tenant_id = t.tenant_id AND d.device_id = t.device_id"
        "  AND o.ts_collected >= from_us(t.us) AND o.ts_collected < d.since AND NOT EXISTS ("
        "   SELECT FROM device_health x WHERE x.tenant_id = d.tenant_id AND x.device_id = d.device_id"
        "   AND x.ts_collected >= o.ts_collected AND x.ts_collected < d.since AND x.status <> d.status)) found"
        " WHERE s.tenant_id = t.tenant_id AND s.device_id = t.device_id AND found.since IS NOT NULL",
        _columns(late),
    )


def _columns(late: Mapping[DeviceKey, int]) -> list[str]:
    return [
        literals.plain(tenant for tenant, _ in late),
        literals.plain(device for _, device in late),
        literals.plain(late.values()),
    ]
