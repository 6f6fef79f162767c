"""Current-state tables: one row per living thing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cmp_to_key
from itertools import zip_longest
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.model.events import key_range_of
from mtd.model.observation import KeyRange
from mtd.projections import metrics
from mtd.projections.frames import FrameEncoder
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.projections.order import Stand, in_order, stand_of
from mtd.storage import literals
from mtd.storage.stores.positions import forget_rows
from mtd.storage.stores.state import (
    StateKey,
    StateRow,
    Told,
    WholeRange,
    delete_all_but,
    delete_rows,
    upsert_rows,
)
from mtd.storage.stores.state_marks import Mark, TableMarks, load_marks, put_marks
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope
    from mtd.pb.events.v1.state_pb2 import TableDelta

# Rows made between two turns of the loop: some two milliseconds.
_ROWS_OF_A_SLICE = 200


@dataclass(slots=True)
class NetChange:
    """What some changes of a table come to.

    ``complete``: the rows of these keys that aren't upserted are gone, as ``told``; None if
    nothing is known of others.
    """

    complete: KeyRange | None
    upserted: dict[str, StateRow]
    told: Told
    removed: dict[str, Told] = field(default_factory=dict)

    def fold(self, removed: Iterable[str], rows: Mapping[str, StateRow], told: Told) -> None:
        """Take in a later change."""
        for row_key in removed:
            self.upserted.pop(row_key, None)
            self.removed[row_key] = told
        self.upserted.update(rows)
        for row_key in rows:
            self.removed.pop(row_key, None)


@dataclass(frozen=True, slots=True)
class Change:
    """One event about a table: at ``seq`` of this log, and where it stood first."""

    seq: int
    stand: Stand
    delta: TableDelta

    @property
    def told(self) -> Told:
        """Where it stood, as rows have it."""
        return Told(self.stand.epoch, self.stand.log_id, self.stand.seq, self.stand.collected_us)

    def rows(self, key: StateKey) -> dict[str, StateRow]:
        """Return the rows that it tells."""
        stand = self.stand
        return {
            row.key: StateRow(
                *key,
                row.key,
                self.seq,
                stand.collected_us,
                literals.document(dict(row.fields)),
                stand.epoch,
                stand.log_id,
                stand.seq,
            )
            for row in self.delta.upserted
        }


@implementer(IProjection)
class TablesProjection:
    """Writes ``state_row``."""

    name = "tables"
    kinds = ("table_delta",)
    tables = ("state_row", "state_mark")

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

    What a collector could not send when it was new comes behind what is newer. It is put where it belongs: rows that
    were told of later stay, and of a table that was told whole later nothing is taken.
    """

    def __init__(self, log_id: str) -> None:
        self._log_id = log_id
        self._told: dict[StateKey, list[Change]] = {}

    def add(self, seq: int, envelope: Envelope) -> None:
        """Take in a change of a table."""
        delta = envelope.table_delta
        key = StateKey(envelope.tenant_id, envelope.device_id, delta.table)
        change = Change(seq, stand_of(self._log_id, seq, envelope), delta)
        self._told.setdefault(key, []).append(change)

    async def prepare(self) -> None:
        """Nothing to do."""

    async def write(self, tx: Transaction) -> None:
        """Delete what is gone, then write what is there."""
        marks = await load_marks(tx, self._told.keys())
        known = {key: whole_since(marks.get(key)) for key in self._told}
        changes: dict[StateKey, list[NetChange]] = {}
        rows = 0
        for key, told in self._told.items():
            changes[key] = net_changes(key, told, known[key])
            rows += sum(len(change.delta.upserted) for change in told)
            if rows >= _ROWS_OF_A_SLICE:
                rows = 0
                await asyncio.sleep(0)
        for round_ in zip_longest(*changes.values()):
            here = [(key, one) for key, one in zip(changes, round_, strict=True) if one is not None]
            await delete_all_but(
                tx,
                [
                    WholeRange(key, one.complete.after, one.complete.up_to, one.upserted.keys(), one.told)
                    for key, one in here
                    if one.complete is not None
                ],
            )
            await delete_rows(tx, [(key, *gone) for key, one in here for gone in one.removed.items()])
            await upsert_rows(tx, self._log_id, [row for _, one in here for row in one.upserted.values()])
        moved = {key: (since.at_seq, since.marks()) for key, since in known.items() if since.at_seq}
        await put_marks(tx, self._log_id, moved)


@dataclass(slots=True)
class WholeSince:
    """Since when a table is known whole; what begins to tell it again, and up to which key.

    ``at_seq``: of the event that changed this.
    """

    whole: Stand | None = None
    begun: Stand | None = None
    told_up_to: str = ""
    at_seq: int = 0

    def take(self, change: Change, within: KeyRange | None) -> None:
        """Note what a change says of this, which isn't older than what is known."""
        stand = change.stand
        if within is None or self._begun_after(stand):
            return
        if change.delta.complete:
            self.whole, self.begun, self.told_up_to, self.at_seq = stand, None, "", change.seq
            return
        if not within.after:
            self.begun, self.told_up_to, self.at_seq = stand, "", change.seq
        if self.begun is None:
            return
        self.told_up_to, self.at_seq = max(self.told_up_to, within.up_to), change.seq
        if not within.up_to:
            self.whole, self.begun, self.told_up_to = self.begun, None, ""

    def _begun_after(self, stand: Stand) -> bool:
        return self.begun is not None and stand.is_before(self.begun)

    def marks(self) -> TableMarks:
        """Return it as it is stored."""
        return TableMarks(_as_mark(self.whole), _as_mark(self.begun), self.told_up_to)


def whole_since(stored: TableMarks | None) -> WholeSince:
    """Return what is stored of a table."""
    if stored is None:
        return WholeSince()
    whole, begun, told_up_to = stored
    return WholeSince(
        None if whole is None else Stand(*whole), None if begun is None else Stand(*begun), told_up_to
    )


def _as_mark(stand: Stand | None) -> Mark | None:
    return None if stand is None else Mark(*stand)


def net_changes(key: StateKey, told: list[Change], since: WholeSince) -> list[NetChange]:
    """Return what events about a table come to, in the order in which they happened; ``since`` goes on with them."""
    if len(told) > 1:
        told = sorted(told, key=cmp_to_key(_by_time))
    changes: list[NetChange] = []
    for change in told:
        if since.whole is not None and change.stand.is_before(since.whole):
            metrics.EVENTS_DROPPED.labels(projection="tables", reason="outdated").inc()
            continue
        within = KeyRange() if change.delta.complete else key_range_of(change.delta)
        rows, removed = change.rows(key), list(change.delta.removed)
        if since.begun is not None and change.stand.is_before(since.begun):
            # A part of the table is being told again, and knows better.
            told_up_to = since.told_up_to
            rows = {row_key: row for row_key, row in rows.items() if row_key > told_up_to}
            removed = [row_key for row_key in removed if row_key > told_up_to]
            within = None if within is None else _behind(within, told_up_to)
        since.take(change, within)
        if within == KeyRange():
            # Whatever was said before of this table doesn't matter any more.
            changes = [NetChange(within, rows, change.told)]
        elif within is not None:
            changes.append(NetChange(within, rows, change.told))
        else:
            if not changes:
                changes.append(NetChange(None, {}, change.told))
            changes[-1].fold(removed, rows, change.told)
    return changes


def _behind(within: KeyRange, key: str) -> KeyRange | None:
    """Return what of a range lies behind a key; None if nothing does."""
    if within.up_to and within.up_to <= key:
        return None
    return KeyRange(max(within.after, key), within.up_to)


def _by_time(one: Change, other: Change) -> int:
    return in_order(one.stand, other.stand)
