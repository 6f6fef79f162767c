"""UUIDs of events that may be told twice, and which event was stored for each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction

_PRUNED_AT_ONCE = 10_000


class GivenId(NamedTuple):
    """The UUID of an event, and where the event stands."""

    tenant_id: str
    event_id: str
    seq: int


async def claim_ids(tx: Transaction, log_id: str, given: Sequence[GivenId]) -> set[int]:
    """Note the UUIDs of events; return the positions of those whose UUID another event has already."""
    if not given:
        return set()
    columns = [literals.plain(column) for column in zip(*given, strict=True)]
    await tx.execute(
        "INSERT INTO ingest_event (tenant_id, event_id, log_id, seq)"
        " SELECT tenant_id, event_id, %s, seq FROM unnest(%s::uuid[], %s::uuid[], %s::int8[])"
        " AS t (tenant_id, event_id, seq) ORDER BY seq ON CONFLICT DO NOTHING",
        [log_id, *columns],
    )
    await tx.execute(
        "SELECT t.seq FROM unnest(%s::uuid[], %s::uuid[], %s::int8[]) AS t (tenant_id, event_id, seq)"
        " JOIN ingest_event e USING (tenant_id, event_id) WHERE (e.log_id, e.seq) <> (%s, t.seq)",
        [*columns, log_id],
    )
    return {int(seq) for (seq,) in tx.fetchall()}


async def forget_ids(tx: Transaction, log_id: str, first_seq: int) -> None:
    """Forget the UUIDs of events that are to be projected again."""
    await tx.execute("DELETE FROM ingest_event WHERE log_id = %s AND seq >= %s", (log_id, first_seq))


class IngestEventStore:
    """Knows the UUIDs of stored events."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def known(self, tenant_id: str, event_ids: Collection[str]) -> set[str]:
        """Return those of these UUIDs for which an event is stored."""

        async def read(tx: Transaction) -> set[str]:
            await tx.execute(
                "SELECT event_id FROM ingest_event WHERE tenant_id = %s AND event_id = ANY (%s::uuid[])",
                (tenant_id, literals.plain(event_ids)),
            )
            return {str(event_id) for (event_id,) in tx.fetchall()}

        return await self._db.run("ingest_events.known", read, tenant=tenant_id) if event_ids else set()

    async def prune(self, days: float) -> int:
        """Forget UUIDs that were stored so many days ago; return how many there were."""

        async def delete(tx: Transaction) -> int:
            # So many at a time, that one statement's time is enough, however long nobody did this.
            await tx.execute(
                "DELETE FROM ingest_event WHERE (tenant_id, event_id) IN (SELECT tenant_id, event_id FROM ingest_event"
                " WHERE stored_at < now() - %s * interval '1 day' ORDER BY stored_at LIMIT %s)",
                (days, _PRUNED_AT_ONCE),
            )
            return tx.rowcount

        gone = 0
        while portion := await self._db.run("ingest_events.prune", delete):
            gone += portion
        return gone
