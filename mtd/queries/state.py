"""Current-state tables of a device as they stand, a page at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.queries.devices import DeviceQueries
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction


@dataclass(frozen=True, slots=True)
class TableSummary:
    """A table that has rows; ``changed_us`` is when one changed last."""

    name: str
    rows: int
    changed_us: int


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows: those with a text somewhere, whatever its case, and with these values in these fields."""

    contains: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableRow:
    """A thing that is there now."""

    key: str
    fields: Mapping[str, str]
    first_seen_us: int
    changed_us: int


@dataclass(frozen=True, slots=True)
class TablePage:
    """Rows by key; ``after`` is the last key if there are more, else empty. ``total``: rows of all pages."""

    rows: Sequence[TableRow]
    after: str
    total: int


_TABLES = """
SELECT table_name, count(*), to_us(max(changed_at)) FROM state_row
WHERE tenant_id = %s AND device_id = %s GROUP BY table_name ORDER BY table_name
"""
_MATCHING = """
FROM state_row WHERE tenant_id = %s AND device_id = %s AND table_name = %s AND fields @> %s::jsonb
AND (%s = '' OR position(lower(%s) IN lower(row_key)) > 0 OR EXISTS (
  SELECT FROM jsonb_each_text(fields) f WHERE position(lower(%s) IN lower(f.value)) > 0))
"""


class StateQueries:
    """Reads ``state_row`` of one device."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._devices = DeviceQueries(db)

    async def tables(self, device: str, tenant_id: str = DEFAULT_TENANT_ID) -> Sequence[TableSummary]:
        """Return the tables of a device that have rows, by name. Raises NotFound."""
        view = await self._devices.get(device, tenant_id)

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(_TABLES, (tenant_id, view.device_id))
            return tx.fetchall()

        return [
            TableSummary(*row) for row in await self._db.run("queries.state_tables", read, tenant=tenant_id)
        ]

    async def rows(
        self,
        device: str,
        table: str,
        wanted: RowFilter,
        limit: int,
        after: str = "",
        tenant_id: str = DEFAULT_TENANT_ID,
    ) -> TablePage:
        """Return at most ``limit`` rows behind a key. Raises NotFound for a device that isn't there."""
        view = await self._devices.get(device, tenant_id)
        matching = (
            tenant_id, view.device_id, table, json.dumps(dict(wanted.fields)), *[wanted.contains] * 3,
        )  # fmt: skip

        async def read(tx: Transaction) -> tuple[list[Row], int]:
            await tx.execute(
                f"SELECT row_key, fields, to_us(first_seen), to_us(changed_at) {_MATCHING}"
                ' AND row_key COLLATE "C" > %s ORDER BY row_key COLLATE "C" LIMIT %s',
                (*matching, after, limit + 1),
            )
            found = tx.fetchall()
            await tx.execute(f"SELECT count(*) {_MATCHING}", matching)
            return found, tx.fetchall()[0][0]

        found, total = await self._db.run("queries.state_rows", read, tenant=tenant_id)
        rows = [TableRow(*row) for row in found[:limit]]
        return TablePage(rows, rows[-1].key if len(found) > limit else "", total)
