"""Current-state tables: one row per living thing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.projections.frames import FrameEncoder
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.storage import literals
from mtd.storage.stores.positions import forget_rows
from mtd.storage.stores.state import StateKey, StateRow, delete_all_but, delete_rows, upsert_rows
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


@dataclass(slots=True)
class NetChange:
    """What several changes of a table come to. ``complete``: rows that aren't upserted are gone."""

    complete: bool = False
    upserted: dict[str, StateRow] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)


@implementer(IProjection)
class TablesProjection:
    """Writes ``state_row``."""

    name = "tables"
    kinds = ("table_delta",)
    tables = ("state_row",)

    def begin(self, log_id: str, frames: FrameEncoder) -> TablesBatch:
        """Return an empty batch."""
        return TablesBatch(log_id)

    async def forget(self, tx: Transaction, log_id: str, first_seq: int) -> None:
        """Delete the rows of these events."""
        await forget_rows(tx, self.tables, log_id, first_seq)


@implementer(IBatchWriter)
class TablesBatch:
    """Changes of tables of one transaction, folded into one for each table."""

    def __init__(self, log_id: str) -> None:
        self._log_id = log_id
        self._changes: dict[StateKey, NetChange] = {}

    def add(self, seq: int, envelope: Envelope) -> None:
        """Take in a change of a table."""
        delta = envelope.table_delta
        key = StateKey(envelope.tenant_id, envelope.device_id, delta.table)
        rows = {
            row.key: StateRow(
                *key, row.key, seq, envelope.collected_at_us, literals.document(dict(row.fields))
            )
            for row in delta.upserted
        }
        if delta.complete:
            self._changes[key] = NetChange(complete=True, upserted=rows)
            return
        change = self._changes.setdefault(key, NetChange())
        for row_key in delta.removed:
            change.upserted.pop(row_key, None)
            change.removed.add(row_key)
        change.upserted.update(rows)
        change.removed.difference_update(rows)

    async def prepare(self) -> None:
        """Nothing to do."""

    async def write(self, tx: Transaction) -> None:
        """Delete what is gone, then write what is there."""
        whole = {key: change.upserted for key, change in self._changes.items() if change.complete}
        await delete_all_but(tx, whole)
        gone = [
            (key, row_key)
            for key, change in self._changes.items()
            if not change.complete
            for row_key in change.removed
        ]
        await delete_rows(tx, gone)
        await upsert_rows(
            tx, self._log_id, [row for change in self._changes.values() for row in change.upserted.values()]
        )
