"""The stored metric catalogue."""

from __future__ import annotations

from mtd.model.device import DEFAULT_TENANT_ID
from mtd.queries.records import MetricRecord
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction


class CatalogueQueries:
    """Reads ``metric``: all that stored series may use, of any catalogue version so far."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def metrics(self, tenant_id: str = DEFAULT_TENANT_ID) -> list[MetricRecord]:
        """Return the metrics by key."""

        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(
                "SELECT key, unit, kind, tier, scope, description, since, collector, expected_min, expected_max, states"
                " FROM metric WHERE tenant_id = %s ORDER BY key",
                (tenant_id,),
            )
            return tx.fetchall()

        rows = await self._db.run("queries.metrics", read, tenant=tenant_id)
        return [_record(row) for row in rows]


def _record(row: Row) -> MetricRecord:
    key, unit, kind, tier, scope, description, since, collector, expected_min, expected_max, states = row
    return MetricRecord(
        key=key,
        unit=unit,
        kind=kind,
        tier=tier,
        scope=scope,
        description=description,
        since=since,
        collector=collector,
        expected_min=expected_min,
        expected_max=expected_max,
        states={int(number): name for number, name in states.items()},
    )
