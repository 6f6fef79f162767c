"""The newest frames, the layouts that name their values, and the names of things."""

from __future__ import annotations

import math
from collections.abc import Collection

from mtd.model.layout import Layout, shared_series
from mtd.model.metric import Lane
from mtd.queries.records import InstanceName, LatestFrame
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.stores.layouts import LayoutKey
from mtd.storage.txn import Row, Transaction


class LatestQueries:
    """Reads ``latest``. Layouts are kept: they are named by their content and never change."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._layouts: dict[LayoutKey, Layout] = {}

    async def latest_all(self, tenant_id: str | None = None) -> list[LatestFrame]:
        """Return the newest frames of all devices of the inventory: of one tenant, or of all."""

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(
                "SELECT l.tenant_id, l.device_id, l.layout_id, to_us(l.ts_collected), to_us(l.ts_received),"
                " l.counters, l.gauges, l.rates FROM latest l JOIN device USING (tenant_id, device_id)"
                " WHERE %s::uuid IS NULL OR l.tenant_id = %s ORDER BY l.device_id, l.poll_group",
                (tenant_id, tenant_id),
            )
            return tx.fetchall()

        return await self._frames(await self._db.run("queries.latest", read, tenant=tenant_id))

    async def latest_of(self, tenant_id: str, device_ids: Collection[str]) -> list[LatestFrame]:
        """Return the newest frames of some devices of a tenant."""

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(
                "SELECT tenant_id, device_id, layout_id, to_us(ts_collected), to_us(ts_received),"
                " counters, gauges, rates FROM latest WHERE tenant_id = %s AND device_id = ANY (%s::uuid[])",
                (tenant_id, literals.plain(device_ids)),
            )
            return tx.fetchall()

        return await self._frames(await self._db.run("queries.latest_of", read, tenant=tenant_id))

    async def _frames(self, rows: list[Row]) -> list[LatestFrame]:
        layouts = await self.layouts({(row[0], row[2]) for row in rows})
        return [_frame(row, layouts[row[0], row[2]]) for row in rows if (row[0], row[2]) in layouts]

    async def layout(self, tenant_id: str, layout_id: int) -> Layout | None:
        """Return a layout; None if it was never declared."""
        return (await self.layouts([(tenant_id, layout_id)])).get((tenant_id, layout_id))

    async def layouts(self, keys: Collection[LayoutKey]) -> dict[LayoutKey, Layout]:
        """Return layouts; those that were never declared are missing."""
        unknown = [key for key in keys if key not in self._layouts]
        if unknown:
            self._layouts.update(await self._read_layouts(unknown))
        return {key: self._layouts[key] for key in keys if key in self._layouts}

    async def _read_layouts(self, keys: Collection[LayoutKey]) -> dict[LayoutKey, Layout]:
        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(
                "SELECT y.tenant_id, y.layout_id, y.poll_group, array_agg(e.lane ORDER BY e.lane, e.position),"
                " array_agg(e.metric ORDER BY e.lane, e.position), array_agg(e.instance ORDER BY e.lane, e.position)"
                " FROM series_layout y LEFT JOIN series_layout_entry e USING (tenant_id, layout_id)"
                " JOIN unnest(%s::uuid[], %s::int8[]) AS t (tenant_id, layout_id) USING (tenant_id, layout_id)"
                " GROUP BY y.tenant_id, y.layout_id",
                (literals.plain(key[0] for key in keys), literals.plain(key[1] for key in keys)),
            )
            return tx.fetchall()

        found = {}
        for tenant_id, layout_id, group, lanes, metrics, instances in await self._db.run(
            "queries.layouts", read
        ):
            series = tuple(
                shared_series(metric, instance, Lane(lane))
                for lane, metric, instance in zip(lanes, metrics, instances, strict=True)
                if metric is not None
            )
            found[str(tenant_id), int(layout_id)] = Layout(group, series, layout_id)
        return found

    async def names_all(
        self, tenant_id: str | None = None, device_ids: Collection[str] | None = None
    ) -> list[InstanceName]:
        """Return what the things of all devices of the inventory are called: of one tenant, or of all; or of some devices.

        Of things that have series. The tables that name them are a few, and
        named to the planner: those of sessions are a thousand times as large.
        """
        devices = None if device_ids is None else literals.plain(device_ids)

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(
                "SELECT DISTINCT unnest(label_tables) FROM metric WHERE %s::uuid IS NULL OR tenant_id = %s",
                (tenant_id, tenant_id),
            )
            tables = literals.texts(table for (table,) in tx.fetchall())
            await tx.execute(
                "SELECT tenant_id, device_id, table_name, row_key, coalesce(fields ->> name_field, ''),"
                " coalesce(fields ->> comment_field, ''), coalesce(fields ->> 'type', '')"
                " FROM state_row JOIN device USING (tenant_id, device_id)"
                " JOIN label_source USING (tenant_id, table_name)"
                " WHERE table_name = ANY (%s::text[]) AND (%s::uuid IS NULL OR tenant_id = %s)"
                " AND (%s::uuid[] IS NULL OR device_id = ANY (%s::uuid[]))",
                (tables, tenant_id, tenant_id, devices, devices),
            )
            return tx.fetchall()

        return [InstanceName(*row) for row in await self._db.run("queries.names", read, tenant=tenant_id)]


def _frame(row: Row, layout: Layout) -> LatestFrame:
    tenant_id, device_id, _, collected_us, received_us, counters, gauges, rates = row
    return LatestFrame(
        tenant_id,
        device_id,
        layout,
        collected_us,
        received_us,
        counters,
        [math.nan if value is None else value for value in gauges],
        [math.nan if value is None else value for value in rates],
    )
