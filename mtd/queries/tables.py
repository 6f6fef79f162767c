"""Current-state tables as they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction

_ROWS_AT_ONCE = 200

TableRows = Mapping[str, Mapping[str, str]]
"""Fields of each row, by the row's key."""


class TableQueries:
    """Reads ``state_row``."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def rows_of(
        self, device_ids: Iterable[str], tables: Iterable[str]
    ) -> Mapping[str, Mapping[str, TableRows]]:
        """Return device id -> table -> rows, of devices of any tenant. A device without rows is missing."""
        found: dict[str, dict[str, dict[str, Mapping[str, str]]]] = {}
        wanted = (literals.texts(device_ids), literals.texts(tables))

        async def read(tx: Transaction) -> None:
            found.clear()
            await tx.execute(
                "SELECT device_id, table_name, row_key, fields FROM state_row"
                " WHERE device_id = ANY (%s::uuid[]) AND table_name = ANY (%s::text[])",
                wanted,
            )
            # Some at a time: turning a hundred thousand rows into objects would hold the loop.
            while rows := tx.fetchmany(_ROWS_AT_ONCE):
                for device_id, table, key, fields in rows:
                    found.setdefault(device_id, {}).setdefault(table, {})[key] = fields
                await asyncio.sleep(0)

        await self._db.run("queries.tables", read)
        return found
