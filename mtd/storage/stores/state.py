"""Current-state tables as rows of ``state_row``, and documents."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from mtd.storage import literals
from mtd.storage.txn import Transaction

# Joining and sending a statement holds the loop.
_STATEMENT_CHARACTERS = 1_000_000
_STATEMENT_ROWS = 250
_STATEMENT_KEYS = 2_000


class StateKey(NamedTuple):
    """A table of a device."""

    tenant_id: str
    device_id: str
    table: str


class StateRow(NamedTuple):
    """A row of a table of a device; ``fields`` is the text of a JSON object."""

    tenant_id: str
    device_id: str
    table: str
    row_key: str
    seq: int
    collected_us: int
    fields: str


class SnapshotRow(NamedTuple):
    """A document; ``content`` is canonical JSON."""

    tenant_id: str
    device_id: str
    kind: str
    seq: int
    collected_us: int
    sha256: bytes
    content: str


class WholeRange(NamedTuple):
    """Keys of a table of a device of which all rows are known: those that are kept. An empty end is no end."""

    key: StateKey
    after: str
    up_to: str
    kept: Collection[str]


async def upsert_rows(tx: Transaction, log_id: str, rows: Sequence[StateRow]) -> None:
    """Store rows; those that are stored just like that keep their time of change. One row for each key."""
    for group in _groups_of_rows(rows):
        columns = list(zip(*group, strict=True))
        await tx.execute(
            "INSERT INTO state_row AS s (log_id, tenant_id, device_id, table_name, row_key, seq, first_seen, changed_at,"
            " fields) SELECT %s, tenant_id, device_id, table_name, row_key, seq, from_us(us), from_us(us), fields::jsonb"
            " FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::int8[], %s::int8[], %s::text[])"
            " AS t (tenant_id, device_id, table_name, row_key, seq, us, fields)"
            " ON CONFLICT (tenant_id, device_id, table_name, row_key) DO UPDATE SET fields = excluded.fields,"
            " log_id = excluded.log_id, seq = excluded.seq, changed_at = excluded.changed_at"
            " WHERE s.fields IS DISTINCT FROM excluded.fields",
            [
                log_id,
                *(literals.texts(column) for column in columns[:4]),
                *(literals.plain(column) for column in columns[4:6]),
                literals.texts(columns[6]),
            ],
        )


async def delete_rows(tx: Transaction, keys: Sequence[tuple[StateKey, str]]) -> None:
    """Delete rows by their keys."""
    for start in range(0, len(keys), _STATEMENT_KEYS):
        group = keys[start : start + _STATEMENT_KEYS]
        await tx.execute(
            "DELETE FROM state_row s USING unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[])"
            " AS t (tenant_id, device_id, table_name, row_key) WHERE s.tenant_id = t.tenant_id"
            " AND s.device_id = t.device_id AND s.table_name = t.table_name AND s.row_key = t.row_key",
            [*_columns([key for key, _ in group]), literals.texts(row_key for _, row_key in group)],
        )


async def delete_all_but(tx: Transaction, ranges: Sequence[WholeRange]) -> None:
    """Delete the rows in these ranges of keys that aren't kept. One range of each table.

    Few statements, however many tables: at its start mtd learns those of all devices.
    """
    for group in _groups_of_ranges(ranges):
        stay = [(one.key, row_key) for one in group for row_key in one.kept]
        devices = _columns([key for key, _ in stay]) if stay else ["{}"] * len(StateKey._fields)
        await tx.execute(
            "DELETE FROM state_row s USING unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[])"
            " AS t (tenant_id, device_id, table_name, after, up_to) WHERE s.tenant_id = t.tenant_id"
            " AND s.device_id = t.device_id AND s.table_name = t.table_name"
            # The order of the bytes, whatever language the database speaks.
            " AND (t.after = '' OR s.row_key > t.after COLLATE \"C\")"
            " AND (t.up_to = '' OR s.row_key <= t.up_to COLLATE \"C\") AND NOT EXISTS ("
            "  SELECT FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[])"
            "  AS k (tenant_id, device_id, table_name, row_key) WHERE k.tenant_id = s.tenant_id"
            "  AND k.device_id = s.device_id AND k.table_name = s.table_name AND k.row_key = s.row_key)",
            [
                *_columns([one.key for one in group]),
                literals.texts(one.after for one in group),
                literals.texts(one.up_to for one in group),
                *devices,
                literals.texts(row_key for _, row_key in stay),
            ],
        )


def _columns(keys: Sequence[StateKey]) -> list[str]:
    return [literals.texts(column) for column in zip(*keys, strict=True)]


def _groups_of_rows(rows: Sequence[StateRow]) -> Iterator[list[StateRow]]:
    """Yield the rows of one statement."""
    group: list[StateRow] = []
    size = 0
    for row in rows:
        if group and (len(group) >= _STATEMENT_ROWS or size + len(row.fields) > _STATEMENT_CHARACTERS):
            yield group
            group, size = [], 0
        group.append(row)
        size += len(row.fields)
    if group:
        yield group


def _groups_of_ranges(ranges: Sequence[WholeRange]) -> Iterator[list[WholeRange]]:
    """Yield the ranges of one statement."""
    group: list[WholeRange] = []
    keys = 0
    for one in ranges:
        if group and keys + len(one.kept) > _STATEMENT_KEYS:
            yield group
            group, keys = [], 0
        group.append(one)
        keys += len(one.kept) + 1
    if group:
        yield group


async def insert_snapshots(tx: Transaction, log_id: str, rows: Sequence[SnapshotRow]) -> None:
    """Store documents that differ from the one stored last, in the given order."""
    for group in _groups_of_snapshots(rows):
        columns = list(zip(*group, strict=True))
        await tx.execute(
            "INSERT INTO snapshot (log_id, tenant_id, device_id, kind, seq, ts_collected, sha256, content)"
            " SELECT %s, t.tenant_id, t.device_id, t.kind, t.seq, from_us(t.us), t.sha256, t.content"
            " FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::int8[], %s::int8[], %s::bytea[], %s::text[])"
            " AS t (tenant_id, device_id, kind, seq, us, sha256, content)"
            " WHERE t.sha256 IS DISTINCT FROM (SELECT s.sha256 FROM snapshot s WHERE s.tenant_id = t.tenant_id"
            "  AND s.device_id = t.device_id AND s.kind = t.kind ORDER BY s.ts_collected DESC LIMIT 1)"
            " ON CONFLICT (tenant_id, device_id, kind, ts_collected) DO UPDATE"
            " SET sha256 = excluded.sha256, content = excluded.content, log_id = excluded.log_id, seq = excluded.seq",
            [
                log_id,
                *(literals.texts(column) for column in columns[:3]),
                *(literals.plain(column) for column in columns[3:5]),
                literals.bytea(columns[5]),
                literals.texts(columns[6]),
            ],
        )


def _groups_of_snapshots(rows: Sequence[SnapshotRow]) -> Iterator[list[SnapshotRow]]:
    """Yield rows that one statement may take: no document twice, for it sees none of its own rows."""
    group: list[SnapshotRow] = []
    names: set[tuple[str, str, str]] = set()
    size = 0
    for row in rows:
        name = (row.tenant_id, row.device_id, row.kind)
        if group and (name in names or size + len(row.content) > _STATEMENT_CHARACTERS):
            yield group
            group, names, size = [], set(), 0
        group.append(row)
        names.add(name)
        size += len(row.content)
    if group:
        yield group
