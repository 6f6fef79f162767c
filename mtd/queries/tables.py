"""Current-state tables as they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

TableRows = Mapping[str, Mapping[str, str]]
"""Fields of each row, by the row's key."""


class TableQueries:
    """Reads ``state_row``."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def rows_of(self, device_ids: Iterable[str]) -> dict[str, dict[str, TableRows]]:
        """Return device id -> table -> rows, of devices of any tenant. A device without rows is missing."""
        wanted = literals.texts(device_ids)

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(
                "SELECT device_id, table_name, jsonb_object_agg(row_key, fields) FROM state_row"
                " WHERE device_id = ANY (%s::uuid[]) GROUP BY device_id, table_name",
                (wanted,),
            )
            return tx.fetchall()

        found: dict[str, dict[str, TableRows]] = {}
        for device_id, table, rows in await self._db.run("queries.tables", read):
            found.setdefault(device_id, {})[table] = rows
        return found
