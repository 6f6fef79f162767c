"""How far each projection is in each log, and the events that can't be projected."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a projection can't take, with its bytes."""

    tenant_id: str
    seq: int
    projection: str
    reason: str
    envelope: bytes


class PositionStore:
    """Positions of the projections of one log."""

    def __init__(self, db: Database, log_id: str) -> None:
        self._db = db
        self.log_id = log_id

    async def load(self, names: Collection[str]) -> dict[str, int]:
        """Return the position of each projection; a new one starts at 0."""

        async def read(tx: Transaction) -> dict[str, int]:
            await tx.execute(
                "INSERT INTO projection_position (log_id, name, position)"
                " SELECT %s, name, 0 FROM unnest(%s::text[]) name ON CONFLICT DO NOTHING",
                (self.log_id, list(names)),
            )
            await tx.execute(
                "SELECT name, position FROM projection_position WHERE log_id = %s AND name = ANY (%s)",
                (self.log_id, list(names)),
            )
            return {str(name): int(position) for name, position in tx.fetchall()}

        return await self._db.run("positions.load", read)

    async def advance(self, tx: Transaction, names: Collection[str], old: int, new: int) -> bool:
        """Move projections from ``old`` to ``new``; false if they are not all at ``old``.

        Goes first in a transaction: the row locks make a second projector wait,
        and then find that the position moved.
        """
        await tx.execute(
            "UPDATE projection_position SET position = %s, updated_at = now()"
            " WHERE log_id = %s AND name = ANY (%s) AND position = %s",
            (new, self.log_id, list(names), old),
        )
        return tx.rowcount == len(names)

    async def put_back(self, tx: Transaction, name: str, position: int) -> None:
        """Set the position of a projection that is to be built again."""
        await tx.execute(
            "UPDATE projection_position SET position = %s, updated_at = now() WHERE log_id = %s AND name = %s",
            (position, self.log_id, name),
        )

    async def bury(self, tx: Transaction, letters: Sequence[DeadLetter]) -> None:
        """Store dead letters."""
        await tx.execute(
            "INSERT INTO dead_letter (tenant_id, log_id, seq, projection, reason, envelope)"
            " SELECT tenant_id, %s, seq, projection, reason, envelope FROM unnest("
            "  %s::uuid[], %s::int8[], %s::text[], %s::text[], %s::bytea[]"
            " ) AS t (tenant_id, seq, projection, reason, envelope)"
            " ON CONFLICT (log_id, seq, projection) DO UPDATE SET reason = excluded.reason, stored_at = now()",
            (
                self.log_id,
                literals.plain(letter.tenant_id for letter in letters),
                literals.plain(letter.seq for letter in letters),
                literals.texts(letter.projection for letter in letters),
                literals.texts(letter.reason for letter in letters),
                literals.bytea(letter.envelope for letter in letters),
            ),
        )

    async def exhume(self, tx: Transaction, projection: str, first_seq: int) -> None:
        """Forget the dead letters of a projection that is to be built again."""
        await tx.execute(
            "DELETE FROM dead_letter WHERE log_id = %s AND projection = %s AND seq >= %s",
            (self.log_id, projection, first_seq),
        )


async def forget_rows(tx: Transaction, tables: Collection[str], log_id: str, first_seq: int) -> None:
    """Delete rows that the events of a log from ``first_seq`` on have written.

    What older, no longer retained events have written stays: it could not be
    built again.
    """
    for table in tables:
        await tx.execute(f"DELETE FROM {table} WHERE log_id = %s AND seq >= %s", (log_id, first_seq))
