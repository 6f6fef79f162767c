"""Of each current-state table, since when it is known whole: what stood before that says nothing any more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from mtd.storage import literals
from mtd.storage.stores.state import StateKey
from mtd.storage.txn import Transaction


class Mark(NamedTuple):
    """An event that told a whole table, or began to: see ``mtd.projections.order.Stand``."""

    epoch: int
    log_id: str
    seq: int
    collected_us: int


class TableMarks(NamedTuple):
    """``whole``: the table is known since then. ``begun``: the first part of what tells it again, up to a key by now."""

    whole: Mark | None = None
    begun: Mark | None = None
    told_up_to: str = ""


_COLUMNS = ("epoch", "source_log", "source_seq", "collected_us")


async def load_marks(tx: Transaction, keys: Collection[StateKey]) -> dict[StateKey, TableMarks]:
    """Return the marks of tables, where they have some."""
    if not keys:
        return {}
    columns = [literals.texts(column) for column in zip(*keys, strict=True)]
    fields = ", ".join(f"m.{name}, m.begun_{name}" for name in _COLUMNS)
    await tx.execute(
        f"SELECT m.tenant_id::text, m.device_id::text, m.table_name, m.told_up_to, {fields} FROM state_mark m"
        " JOIN unnest(%s::uuid[], %s::uuid[], %s::text[]) AS t (tenant_id, device_id, table_name)"
        " USING (tenant_id, device_id, table_name)",
        columns,
    )
    found = {}
    for tenant_id, device_id, table, told_up_to, *values in tx.fetchall():
        whole, begun = values[0::2], values[1::2]
        found[StateKey(tenant_id, device_id, table)] = TableMarks(_mark(whole), _mark(begun), told_up_to)
    return found


def _mark(values: list[object]) -> Mark | None:
    epoch, log_id, seq, us = values
    return None if log_id is None else Mark(int(str(epoch)), str(log_id), int(str(seq)), int(str(us)))


async def put_marks(tx: Transaction, log_id: str, marks: Mapping[StateKey, tuple[int, TableMarks]]) -> None:
    """Store marks, each with the position of the event that set it in this log."""
    if not marks:
        return
    rows = [
        (*key, told.told_up_to, seq, *(told.whole or _NO_MARK), *(told.begun or _NO_MARK))
        for key, (seq, told) in marks.items()
    ]
    columns = list(zip(*rows, strict=True))
    names = [*_COLUMNS, *(f"begun_{name}" for name in _COLUMNS)]
    types = ["int8", "uuid", "int8", "int8"] * 2
    await tx.execute(
        f"INSERT INTO state_mark AS m (log_id, tenant_id, device_id, table_name, told_up_to, seq, {', '.join(names)})"
        f" SELECT %s, tenant_id, device_id, table_name, told_up_to, seq, {', '.join(names)}"
        f" FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::int8[], {', '.join(f'%s::{one}[]' for one in types)})"
        f" AS t (tenant_id, device_id, table_name, told_up_to, seq, {', '.join(names)})"
        " ON CONFLICT (tenant_id, device_id, table_name) DO UPDATE SET log_id = excluded.log_id, seq = excluded.seq,"
        " told_up_to = excluded.told_up_to, " + ", ".join(f"{name} = excluded.{name}" for name in names),
        [
            log_id,
            *(literals.texts(None if one is None else str(one) for one in column) for column in columns),
        ],
    )


_NO_MARK = (None, None, None, None)
