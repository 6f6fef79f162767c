"""Current-state tables: one row per living thing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.model.events import key_range_of
from mtd.model.observation import KeyRange
from mtd.projections.frames import FrameEncoder
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.storage import literals
from mtd.storage.stores.positions import forget_rows
from mtd.storage.stores.state import (
    StateKey,
    StateRow,
    WholeRange,
    delete_all_but,
    delete_rows,
    upsert_rows,
)
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


@dataclass(slots=True)
class NetChange:
    """What some changes of a table come to.

    ``complete``: the rows of these keys that aren't upserted are gone; None if
    nothing is known of others.
    """

    complete: KeyRange | None
    upserted: dict[str, StateRow]
    removed: set[str] = field(default_factory=set)

    def fold(self, removed: Iterable[str], rows: Mapping[str, StateRow]) -> None:
        """Take in a later change."""
        for row_key in removed:
            self.upserted.pop(row_key, None)
            self.removed.add(row_key)
        self.upserted.update(rows)
        self.removed.difference_update(rows)


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
    """Changes of tables of one transaction, folded into one for each table.

    But for parts of a complete table: each is one change, written in a round of
    its own, so that no statement is larger than a part of each table.
    """

    def __init__(self, log_id: str) -> None:
        self._log_id = log_id
        self._changes: dict[StateKey, list[NetChange]] = {}

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
        within = key_range_of(delta)
        if delta.complete:
            # Whatever was said before of this table doesn't matter any more.
            self._changes[key] = [NetChange(KeyRange(), rows)]
        elif within is not None:
            self._changes.setdefault(key, []).append(NetChange(within, rows))
        else:
            changes = self._changes.setdefault(key, [])
            if not changes:
                changes.append(NetChange(None, {}))
            changes[-1].fold(delta.removed, rows)

    async def prepare(self) -> None:
        """Nothing to do."""

    async def write(self, tx: Transaction) -> None:
        """Delete what is gone, then write what is there."""
        for changes in zip_longest(*self._changes.values()):
            here = [(key, one) for key, one in zip(self._changes, changes, strict=True) if one is not None]
            await delete_all_but(
                tx,
                [
                    WholeRange(key, one.complete.after, one.complete.up_to, one.upserted.keys())
                    for key, one in here
                    if one.complete is not None
                ],
            )
            await delete_rows(tx, [(key, row_key) for key, one in here for row_key in one.removed])
            await upsert_rows(tx, self._log_id, [row for _, one in here for row in one.upserted.values()])
