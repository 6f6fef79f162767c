"""Logs of collectors: whose each is, and which of its events this database holds."""

from __future__ import annotations

from dataclasses import dataclass

from mtd.core.errors import Forbidden, QuotaExceeded
from mtd.model.ranges import SeqRanges
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction

MOST_LOGS = 1000
"""Logs of one collector: it gets a new one when it is set up anew."""

LogKey = tuple[str, str]
"""Tenant and log."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is projected of a log, and whether it is this hub that takes it: another one may since."""

    projected: SeqRanges
    is_ours: bool


class IngestLogStore:
    """Reads and claims logs, for the door of one hub that collectors come through: across tenants."""

    def __init__(self, db: Database, hub_log_id: str) -> None:
        self._db = db
        self._hub = hub_log_id

    async def claim(self, log_id: str, tenant_id: str, collector: str) -> None:
        """Note that a log is a collector's, and that this hub takes it. Raises Forbidden if it is somebody else's, QuotaExceeded for too many."""

        async def put(tx: Transaction) -> bool:
            await tx.execute(
                "SELECT count(*) FROM ingest_log WHERE tenant_id = %s AND collector = %s AND log_id <> %s",
                (tenant_id, collector, log_id),
            )
            (others,) = tx.fetchone() or (0,)
            if others >= MOST_LOGS:
                raise QuotaExceeded(
                    f"this collector has sent {others} logs already: a collector keeps its log",
                    hint="find out why its log is new each time",
                )
            await tx.execute(
                "INSERT INTO ingest_log AS l (tenant_id, log_id, collector, hub_log_id) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (log_id) DO UPDATE SET tenant_id = excluded.tenant_id,"
                "  collector = excluded.collector, hub_log_id = excluded.hub_log_id, last_seen_at = now()"
                " WHERE l.collector = '' OR (l.tenant_id, l.collector) = (excluded.tenant_id, excluded.collector)",
                (tenant_id, log_id, collector, self._hub),
            )
            return tx.rowcount == 1

        if not await self._db.run("ingest_logs.claim", put, tenant=tenant_id):
            raise Forbidden(f"the log {log_id} isn't this collector's: another one sends it")

    async def projected(self, log_id: str) -> Standing:
        """Return which events of a log are in this database, and will be after a crash of the server as well."""

        async def read(tx: Transaction) -> Standing:
            # A change, because projections don't wait for the disk: committing it, which does, takes along
            # what they wrote before.
            await tx.execute(
                "UPDATE ingest_log SET last_seen_at = now() WHERE log_id = %s RETURNING coalesce(hub_log_id = %s, true),"
                " (SELECT array_agg(ARRAY[lower(r), upper(r) - 1] ORDER BY r) FROM unnest(projected) r)",
                (log_id, self._hub),
            )
            is_ours, spans = tx.fetchone() or (True, None)
            return Standing(SeqRanges((first, last) for first, last in spans or ()), bool(is_ours))

        return await self._db.run("ingest_logs.projected", read)
