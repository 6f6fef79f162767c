"""Which site and which groups a device has: two settings that aren't columns of its row."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from mtd.core.errors import NotFound, Refused
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.storage.stores.places import SITES, place_id
from mtd.storage.txn import Transaction

_MOST_GROUPS = 100


async def put_places(
    tx: Transaction, tenant_id: str, device_id: str, settings: DeviceSettings, mask: Collection[str]
) -> None:
    """Write what the mask names of both. Raises Refused for a site or a group that isn't there."""
    if "site" in mask:
        site_id = await _site(tx, tenant_id, settings.site.strip())
        await tx.execute(
            "UPDATE device SET site_id = %s WHERE tenant_id = %s AND device_id = %s"
            " AND site_id IS DISTINCT FROM %s",
            (site_id, tenant_id, device_id, site_id),
        )
    if "groups" in mask:
        ids = await _groups(tx, tenant_id, settings.groups)
        await tx.execute(
            "DELETE FROM device_group_member WHERE tenant_id = %s AND device_id = %s"
            " AND NOT group_id = ANY (%s::uuid[])",
            (tenant_id, device_id, ids),
        )
        await tx.execute(
            "INSERT INTO device_group_member (tenant_id, device_id, group_id)"
            " SELECT %s, %s, unnest(%s::uuid[]) ON CONFLICT DO NOTHING",
            (tenant_id, device_id, ids),
        )


async def _site(tx: Transaction, tenant_id: str, site: str) -> str | None:
    if not site:
        return None
    try:
        return await place_id(tx, tenant_id, SITES, site)
    except NotFound as error:
        raise Refused(f"site: {error}; make it first") from None


async def _groups(tx: Transaction, tenant_id: str, groups: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(group.strip() for group in groups))
    if len(wanted) > _MOST_GROUPS:
        raise Refused(f"groups: {len(wanted)} are too many: {_MOST_GROUPS} are allowed")
    await tx.execute(
        "SELECT group_id, name FROM device_group WHERE tenant_id = %s"
        " AND (group_id::text = ANY (%s) OR name = ANY (%s))",
        (tenant_id, wanted, wanted),
    )
    by_name, by_id = {}, set()
    for group_id, name in tx.fetchall():
        by_name[name] = str(group_id)
        by_id.add(str(group_id))
    missing = [group for group in wanted if group not in by_id and group not in by_name]
    if missing:
        raise Refused(f"groups: there is no group {', '.join(map(repr, missing))}; make it first")
    return [group if group in by_id else by_name[group] for group in wanted]
