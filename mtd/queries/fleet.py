"""All devices of a tenant as a list shows them."""

from __future__ import annotations

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.metric import Tier
from mtd.queries.devices import shown_status
from mtd.queries.records import FleetRow
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

# A few milliseconds of making rows at a time: the loop has other things to do in between.
PAGE = 1000
_FIRST = "00000000-0000-0000-0000-000000000000"


class FleetQueries:
    """Reads the inventory with the status alone: asked again whenever something changed."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def fleet(self, tenant_id: str = DEFAULT_TENANT_ID) -> list[FleetRow]:
        """Return all devices, in no order that means anything."""
        found: list[FleetRow] = []
        after = _FIRST
        while True:
            page = await self._page(tenant_id, after)
            found += map(_fleet_row, page)
            if len(page) < PAGE:
                return found
            after = str(page[-1][0])

    async def _page(self, tenant_id: str, after: str) -> list[Row]:
        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(
                "SELECT d.device_id, d.name, d.host, d.enabled, coalesce(s.status, 'unknown'), coalesce(s.reason, ''),"
                " to_us(s.since), coalesce(s.routeros_version, ''), coalesce(s.board_name, ''),"
                " coalesce(s.identity, ''), d.labels, (d.intervals_s->>%s)::float8,"
                " u.collector, to_us(u.since), u.stopped"
                " FROM device d LEFT JOIN device_status s USING (tenant_id, device_id)"
                " LEFT JOIN device_unobserved u USING (tenant_id, device_id)"
                " WHERE d.tenant_id = %s AND d.device_id > %s ORDER BY d.device_id LIMIT %s",
                (Tier.T0.value, tenant_id, after, PAGE),
            )
            return tx.fetchall()

        return await self._db.run("queries.fleet", read, tenant=tenant_id)


def _fleet_row(row: Row) -> FleetRow:
    device_id, name, host, enabled, status, reason, since_us, version, board, identity, *more = row
    labels, interval_s, collector, absent_us, stopped = more
    status, reason = shown_status(status, reason, enabled=enabled, absent=collector, stopped=bool(stopped))
    return FleetRow(
        device_id=str(device_id),
        name=name,
        host=host,
        enabled=enabled,
        status=status,
        reason=reason,
        since_us=since_us if collector is None else absent_us,
        version=version,
        board=board,
        identity=identity,
        labels=labels or {},
        interval_s=interval_s,
    )
