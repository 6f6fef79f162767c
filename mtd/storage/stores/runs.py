"""Runs of tools among the documents of devices: forgotten when they are old."""

from __future__ import annotations

from mtd.storage.pool import Database
from mtd.storage.txn import Transaction


async def forget_runs(db: Database, kind_prefix: str, older_than_s: float) -> int:
    """Delete the documents of these kinds that are older; return how many."""

    async def delete(tx: Transaction) -> int:
        await tx.execute(
            "DELETE FROM snapshot WHERE starts_with(kind, %s)"
            " AND ts_collected < now() - %s * interval '1 second'",
            (kind_prefix, older_than_s),
        )
        return tx.rowcount

    return await db.run("runs.forget", delete)
