"""The audit log in PostgreSQL: appended to, read, and pruned from its beginning."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mtd.model.audit import OK, AuditEntry
from mtd.model.tenant import NO_TENANT_ID
from mtd.security.audit_chain import PRUNED, Deed, Head, Link, chained, pruned_detail
from mtd.storage import audit_sql as sql
from mtd.storage.audit_sql import AuditFilter
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

_DAY_US = 86_400_000_000
_PRUNED_AT_ONCE = 20_000


async def append(tx: Transaction, deeds: Sequence[Deed]) -> list[Link]:
    """Append deeds to the chain, in their order, within a transaction; those that are stored already are left out.

    Holds the end of the chain until the transaction is over: others wait.
    """
    await tx.execute(sql.LOCK_HEAD)
    head = sql.head_of(tx.fetchone())
    await tx.execute(sql.KNOWN, (sql.ids(deeds),))
    links = chained(head, sql.fresh(deeds, tx.fetchall()))
    if links:
        await tx.execute(sql.APPEND, sql.append_params(links))
        await tx.execute(sql.MOVE_HEAD, (links[-1].position, links[-1].hash))
    return links


class AuditStore:
    """Writes and reads with the rights of the writer's pool, or of that of doors."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def append(self, deeds: Sequence[Deed], *, deadline_s: float | None = None) -> list[Link]:
        """Append deeds to the chain, in their order; those that are stored already are left out. Durable when done."""

        async def write(tx: Transaction) -> list[Link]:
            return await append(tx, deeds)

        return await self._db.run("audit.append", write, deadline_s=deadline_s)

    async def head(self) -> Head:
        """Return the end of the chain."""

        async def read(tx: Transaction) -> Head:
            await tx.execute(sql.READ_HEAD)
            return sql.head_of(tx.fetchone())

        return await self._db.run("audit.head", read)

    async def newest_first(self, wanted: AuditFilter, limit: int, before: int | None) -> list[Link]:
        """Return at most ``limit`` entries before a position, the newest first."""
        where, params = sql.conditions(wanted)
        if before is not None:
            where, params = f"{where} AND position < %s", [*params, before]
        return await self._read(
            "audit.list", f"{where} ORDER BY position DESC LIMIT %s", [*params, limit], wanted
        )

    async def after(self, wanted: AuditFilter, limit: int, position: int) -> list[Link]:
        """Return at most ``limit`` entries behind a position, in their order."""
        where, params = sql.conditions(wanted)
        tail = f"{where} AND position > %s ORDER BY position LIMIT %s"
        return await self._read("audit.export", tail, [*params, position, limit], wanted)

    async def _read(self, name: str, tail: str, params: list[object], wanted: AuditFilter) -> list[Link]:
        async def read(tx: Transaction) -> list[Row]:
            await tx.execute(f"SELECT {sql.COLUMNS} FROM mtd.audit_entry WHERE {tail}", params)
            return tx.fetchall()

        rows = await self._db.run(name, read, tenant=wanted.tenant_id)
        return await asyncio.to_thread(lambda: [sql.link_of(row) for row in rows])

    async def prune(self, now_us: int, keep_days: int) -> int:
        """Remove entries from before so many days, and write that down in the chain. Returns how many went: call again.

        Nothing behind the first entry that is kept is removed, however old it is: the chain keeps one piece.
        """
        before_us = now_us - keep_days * _DAY_US

        async def write(tx: Transaction) -> int:
            await tx.execute(sql.LOCK_HEAD)
            await tx.execute(
                "SELECT position, hash FROM mtd.audit_entry WHERE position < least("
                # By the earlier of two clocks: one that has gone wrong removes nothing.
                "(SELECT position FROM mtd.audit_entry WHERE ts >= least(mtd.from_us(%s), now() - %s * interval '1 d')"
                "  ORDER BY position LIMIT 1),"
                " (SELECT min(position) + %s FROM mtd.audit_entry)) ORDER BY position DESC LIMIT 1",
                (before_us, keep_days, _PRUNED_AT_ONCE),
            )
            row = tx.fetchone()
            if row is None:
                return 0
            last = Head(int(row[0]), bytes(row[1]))
            (told,) = await append(tx, [_prune_deed(last, now_us, before_us, keep_days)])
            await tx.execute(
                "INSERT INTO mtd.audit_checkpoint (position, hash, told_by) VALUES (%s, %s, %s)",
                (last.position, last.hash, told.position),
            )
            await tx.execute("SELECT mtd.audit_prune()")
            gone = tx.fetchone()
            assert gone is not None
            return int(gone[0])

        return await self._db.run("audit.prune", write)


def _prune_deed(last: Head, now_us: int, before_us: int, keep_days: int) -> Deed:
    detail = pruned_detail(last, before_us, keep_days)
    target = f"entries up to {last.position}"
    entry = AuditEntry(PRUNED, OK, NO_TENANT_ID, "local", "mtd", target=target, detail=detail)
    return Deed(entry, now_us)
