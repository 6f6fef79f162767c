"""Who polls a device, and how far what it told is here."""

from __future__ import annotations

from dataclasses import dataclass

from mtd.storage.pool import Database
from mtd.storage.txn import Transaction


@dataclass(frozen=True, slots=True)
class Poller:
    """A collector that polls a device, or will once it is back. ``edge``: it isn't a hub at the same time."""

    collector_id: str
    name: str
    edge: bool
    online: bool


class PollerQueries:
    """Reads ``device_assignment`` and ``ingest_log``. ``writer``: a collector may be of another tenant than what it polls."""

    def __init__(self, writer: Database) -> None:
        self._writer = writer

    async def of(self, device_id: str, tenant_id: str) -> Poller | None:
        """Return who polls a device; None if nobody is to."""

        async def read(tx: Transaction) -> Poller | None:
            await tx.execute(
                "SELECT a.collector_id, m.name, m.edge, m.state = 'online' FROM device_assignment a"
                " JOIN collector_membership m USING (collector_id)"
                " WHERE a.tenant_id = %s AND a.device_id = %s AND a.state = 'assigned' ORDER BY a.slot LIMIT 1",
                (tenant_id, device_id),
            )
            row = tx.fetchone()
            return None if row is None else Poller(*row)

        return await self._writer.run("queries.poller", read)

    async def has_told(self, log_id: str, seq: int) -> bool:
        """Whether PostgreSQL has what a collector wrote to its log at a position."""

        async def read(tx: Transaction) -> bool:
            await tx.execute(
                "SELECT EXISTS (SELECT FROM ingest_log WHERE log_id = %s AND projected @> %s::int8)",
                (log_id, seq),
            )
            row = tx.fetchone()
            return row is not None and bool(row[0])

        return await self._writer.run("queries.has_told", read)
