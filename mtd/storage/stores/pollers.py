"""Pollers, as callers of a tenant see and place them.

``writer`` sees all tenants: hubs that poll belong to none. Every statement names the tenant that it is for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtd.core.errors import Forbidden, NotFound, Refused
from mtd.model.poller import PolledBy, Poller, PollerChange, PollerReport
from mtd.model.tenant import NO_TENANT_ID
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

_POLLERS = """
WITH known AS (
    SELECT coalesce(c.collector_id::text, m.collector_id) AS id, coalesce(c.name, m.name) AS name,
           coalesce(m.edge, true) AS edge, coalesce(m.state, 'never') AS state, m.changed_at, m.version
      FROM (SELECT * FROM collector WHERE tenant_id = %(tenant)s) c
      FULL JOIN (SELECT * FROM collector_membership WHERE tenant_id IN (%(tenant)s, %(nil)s)) m
        ON m.collector_id = c.collector_id::text
)
SELECT k.id, k.name, k.edge, k.state, to_us(k.changed_at), coalesce(k.version, ''),
       (SELECT count(*) FROM device_assignment a WHERE a.tenant_id = %(tenant)s AND a.collector_id = k.id
           AND a.state <> 'free'),
       (SELECT count(*) FROM device_assignment a WHERE a.tenant_id = %(tenant)s AND a.collector_id = k.id
           AND a.state <> 'free' AND a.hold <> 'lease'),
       coalesce(s.draining, false), coalesce(s.weight, 1),
       coalesce((SELECT array_agg(t.name ORDER BY t.name) FROM collector_site cs
                   JOIN site t USING (tenant_id, site_id)
                  WHERE cs.tenant_id = %(tenant)s AND cs.collector_id = k.id), '{}'),
       coalesce(s.sites_only, false), s.canary_percent,
       coalesce((SELECT g.name FROM device_group g WHERE g.tenant_id = %(tenant)s AND g.group_id = s.canary_group_id), ''),
       to_us(r.last_seen_at), r.buffer_depth, r.buffer_bytes, to_us(r.last_push_at), r.clock_ahead_s, r.pressure
  FROM known k LEFT JOIN collector_setting s ON s.collector_id = k.id
  LEFT JOIN ingest_agent r ON r.tenant_id = %(tenant)s AND r.source = 'collector:' || k.id || '@' || %(tenant)s
                          AND r.agent = 'mtd'
"""
_HELD = """
SELECT d.device_id::text, d.name, a.collector_id, coalesce(m.name, a.collector_id), to_us(a.since),
       a.state = 'releasing', a.hold <> 'lease', a.epoch, d.collector = a.collector_id, a.slot
  FROM device_assignment a JOIN device d USING (tenant_id, device_id)
  LEFT JOIN collector_membership m ON m.collector_id = a.collector_id
 WHERE a.tenant_id = %(tenant)s AND a.state <> 'free' AND (%(poller)s = '' OR a.collector_id = %(poller)s)
   AND (d.name, a.slot) > (%(name)s, %(slot)s) ORDER BY d.name, a.slot LIMIT %(limit)s
"""


class PollerStore:
    """Who polls for a tenant, and what operators say of them."""

    def __init__(self, writer: Database) -> None:
        self._writer = writer

    async def list(self, tenant_id: str, after_name: str, limit: int) -> Sequence[Poller]:
        """Return pollers by name, at most ``limit`` behind a name."""

        async def read(tx: Transaction) -> Sequence[Poller]:
            await tx.execute(
                f"{_POLLERS} WHERE k.name > %(name)s ORDER BY k.name, k.id LIMIT %(limit)s",
                {"tenant": tenant_id, "nil": NO_TENANT_ID, "name": after_name, "limit": limit},
            )
            return [_poller(row) for row in tx.fetchall()]

        return await self._writer.run("pollers.list", read, tenant=tenant_id)

    async def get(self, tenant_id: str, poller: str) -> Poller:
        """Return a poller by its name or id. Raises NotFound."""

        async def read(tx: Transaction) -> Poller:
            return await _find(tx, tenant_id, poller)

        return await self._writer.run("pollers.get", read, tenant=tenant_id)

    async def update(self, tenant_id: str, poller: str, change: PollerChange, *, across: bool) -> Poller:
        """Change what is said of a poller. ``across``: by somebody who works across tenants.

        Raises NotFound, and Forbidden for a hub, which is everybody's.
        """

        async def write(tx: Transaction) -> Poller:
            found = await _find(tx, tenant_id, poller)
            if not found.edge and not across and not change.only_sites:
                raise Forbidden(
                    f"the hub {found.name!r} polls for all tenants: only those who work across tenants change that"
                )
            owner = tenant_id if found.edge else NO_TENANT_ID
            values = await _values(tx, tenant_id, found, change)
            if values:
                names = ", ".join(values)
                sets = ", ".join(f"{name} = excluded.{name}" for name in values)
                holes = ", ".join(["%s"] * len(values))
                await tx.execute(
                    f"INSERT INTO collector_setting (tenant_id, collector_id, {names}) VALUES (%s, %s, {holes})"
                    f" ON CONFLICT (collector_id) DO UPDATE SET {sets}, updated_at = now()",
                    [owner, found.poller_id, *values.values()],
                )
            if change.sites is not None:
                await _set_sites(tx, tenant_id, found.poller_id, change.sites)
            return await _find(tx, tenant_id, found.poller_id)

        return await self._writer.run("pollers.update", write, tenant=tenant_id)

    async def held(
        self, tenant_id: str, poller: str, after: tuple[str, int], limit: int
    ) -> Sequence[PolledBy]:
        """Return who polls what, by names of devices, at most ``limit`` behind a name and a slot. Raises NotFound."""

        async def read(tx: Transaction) -> Sequence[PolledBy]:
            wanted = (await _find(tx, tenant_id, poller)).poller_id if poller else ""
            await tx.execute(
                _HELD,
                {
                    "tenant": tenant_id,
                    "poller": wanted,
                    "name": after[0],
                    "slot": after[1],
                    "limit": limit,
                },
            )
            return [PolledBy(*row) for row in tx.fetchall()]

        return await self._writer.run("pollers.held", read, tenant=tenant_id)

    async def place_devices(
        self, tenant_id: str, devices: Sequence[str], poller: str | None, redundancy: int | None
    ) -> int:
        """Say who is to poll devices, and by how many they are polled; what is None stays. Raises NotFound."""

        async def write(tx: Transaction) -> int:
            pin = None
            if poller is not None:
                pin = (await _find(tx, tenant_id, poller)).poller_id if poller else ""
            for device in devices:
                await tx.execute(
                    "UPDATE device SET collector = coalesce(%s, collector),"
                    # No new revision: how it is polled stays as it is, and so does its session.
                    " redundancy = CASE WHEN %s THEN nullif(%s, 0) ELSE redundancy END, updated_at = now()"
                    " WHERE tenant_id = %s AND (name = %s OR device_id::text = %s)",
                    [pin, redundancy is not None, redundancy, tenant_id, device, device],
                )
                if not tx.rowcount:
                    raise NotFound(f"there is no device {device[:100]!r}")
            return len(devices)

        return await self._writer.run("pollers.place", write, tenant=tenant_id)

    async def place_sites(self, tenant_id: str, sites: Sequence[str], redundancy: int) -> int:
        """Say by how many the devices of sites are polled; 0: by one. Raises NotFound."""

        async def write(tx: Transaction) -> int:
            for site in await _sites(tx, tenant_id, sites):
                await tx.execute(
                    "UPDATE site SET redundancy = nullif(%s, 0), updated_at = now() WHERE tenant_id = %s AND site_id = %s",
                    [redundancy, tenant_id, site],
                )
            return len(sites)

        return await self._writer.run("pollers.place_sites", write, tenant=tenant_id)


def _poller(row: Row) -> Poller:
    *what, heard_us, events, size, push_us, ahead_s, pressure = row
    report = None if heard_us is None else PollerReport(heard_us, events, size, push_us, ahead_s, pressure)
    return replace(Poller(*what), report=report)


async def _find(tx: Transaction, tenant_id: str, poller: str) -> Poller:
    await tx.execute(
        f"{_POLLERS} WHERE k.name = %(poller)s OR k.id = %(poller)s"
        # The tenant's own come before hubs of the same name.
        " ORDER BY k.edge DESC, k.name = %(poller)s DESC LIMIT 1",
        {"tenant": tenant_id, "nil": NO_TENANT_ID, "poller": poller},
    )
    row = tx.fetchone()
    if row is None:
        raise NotFound(f"there is no collector {poller[:100]!r}")
    return _poller(row)


async def _values(tx: Transaction, tenant_id: str, found: Poller, change: PollerChange) -> dict[str, object]:
    values: dict[str, object] = {}
    if change.draining is not None:
        values["draining"] = change.draining
    if change.weight is not None:
        values["weight"] = change.weight
    if change.sites_only is not None:
        values["sites_only"] = change.sites_only
    if change.canary_percent is not None:
        values["canary_percent"] = change.canary_percent[0]
    if change.canary_group is not None:
        if change.canary_group and not found.edge:
            raise Refused("canary_group: groups are of a tenant, hubs are of none: name a percentage")
        values["canary_group_id"] = (
            await _group(tx, tenant_id, change.canary_group) if change.canary_group else None
        )
    return values


async def _group(tx: Transaction, tenant_id: str, group: str) -> str:
    await tx.execute(
        "SELECT group_id::text FROM device_group WHERE tenant_id = %s AND (name = %s OR group_id::text = %s)"
        " ORDER BY name = %s DESC LIMIT 1",
        [tenant_id, group, group, group],
    )
    row = tx.fetchone()
    if row is None:
        raise NotFound(f"there is no device group {group[:100]!r}")
    return str(row[0])


async def _sites(tx: Transaction, tenant_id: str, sites: Sequence[str]) -> list[str]:
    found = []
    for site in sites:
        await tx.execute(
            "SELECT site_id::text FROM site WHERE tenant_id = %s AND (name = %s OR site_id::text = %s)"
            " ORDER BY name = %s DESC LIMIT 1",
            [tenant_id, site, site, site],
        )
        row = tx.fetchone()
        if row is None:
            raise NotFound(f"there is no site {site[:100]!r}")
        found.append(str(row[0]))
    return found


async def _set_sites(tx: Transaction, tenant_id: str, poller_id: str, sites: Sequence[str]) -> None:
    wanted = await _sites(tx, tenant_id, sites)
    await tx.execute(
        "DELETE FROM collector_site WHERE tenant_id = %s AND collector_id = %s", [tenant_id, poller_id]
    )
    for site in wanted:
        await tx.execute(
            "INSERT INTO collector_site (tenant_id, collector_id, site_id) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            [tenant_id, poller_id, site],
        )
