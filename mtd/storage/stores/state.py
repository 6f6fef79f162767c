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
    """A row of a table of a device; ``fields`` is the text of a JSON object.

    ``epoch``, ``source_log``, ``source_seq``: where the event that told it stood first, which decides what is newer.
    """

    tenant_id: str
    device_id: str
    table: str
    row_key: str
    seq: int
    collected_us: int
    fields: str
    epoch: int
    source_log: str
    source_seq: int


class Told(NamedTuple):
    """Where an event stood that tells of rows which are gone; see ``StateRow``."""

    epoch: int
    source_log: str
    source_seq: int
    collected_us: int


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
    told: Told


# What was told later stays, though what is told now reaches us later.
_NOT_NEWER = "NOT told_later(s.epoch, s.source_log, s.source_seq, s.changed_at, {0}.epoch, {0}.source_log, {0}.source_seq, {1})"
_TOLD = ("epoch", "source_log", "source_seq", "us")
_TOLD_TYPES = "%s::int8[], %s::uuid[], %s::int8[], %s::int8[]"


async def upsert_rows(tx: Transaction, log_id: str, rows: Sequence[StateRow]) -> None:
    """Store rows; those that are stored just like that keep their time of change, and newer ones stay. One row for each key."""
    for group in _groups_of_rows(rows):
        columns = list(zip(*group, strict=True))
        await tx.execute(
            "INSERT INTO state_row AS s (log_id, tenant_id, device_id, table_name, row_key, seq, first_seen, changed_at,"
            " fields, epoch, source_log, source_seq) SELECT %s, tenant_id, device_id, table_name, row_key, seq,"
            " from_us(us), from_us(us), fields::jsonb, epoch, source_log, source_seq"
            " FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::int8[], %s::int8[], %s::text[],"
            " %s::int8[], %s::uuid[], %s::int8[])"
            " AS t (tenant_id, device_id, table_name, row_key, seq, us, fields, epoch, source_log, source_seq)"
            " ON CONFLICT (tenant_id, device_id, table_name, row_key) DO UPDATE SET fields = excluded.fields,"
            " log_id = excluded.log_id, seq = excluded.seq, changed_at = excluded.changed_at,"
            " epoch = excluded.epoch, source_log = excluded.source_log, source_seq = excluded.source_seq"
            f" WHERE s.fields IS DISTINCT FROM excluded.fields AND {_NOT_NEWER.format('excluded', 'excluded.changed_at')}",
            [
                log_id,
                *(literals.texts(column) for column in columns[:4]),
                *(literals.plain(column) for column in columns[4:6]),
                literals.texts(columns[6]),
                *(literals.plain(column) for column in columns[7:]),
            ],
        )


async def delete_rows(tx: Transaction, keys: Sequence[tuple[StateKey, str, Told]]) -> None:
    """Delete rows by their keys, unless they were told of later."""
    for start in range(0, len(keys), _STATEMENT_KEYS):
        group = keys[start : start + _STATEMENT_KEYS]
        await tx.execute(
            f"DELETE FROM state_row s USING unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], {_TOLD_TYPES})"
            f" AS t (tenant_id, device_id, table_name, row_key, {', '.join(_TOLD)}) WHERE s.tenant_id = t.tenant_id"
            " AND s.device_id = t.device_id AND s.table_name = t.table_name AND s.row_key = t.row_key"
            f" AND {_NOT_NEWER.format('t', 'from_us(t.us)')}",
            [
                *_columns([key for key, _, _ in group]),
                literals.texts(row_key for _, row_key, _ in group),
                *_told_columns([told for _, _, told in group]),
            ],
        )


async def delete_all_but(tx: Transaction, ranges: Sequence[WholeRange]) -> None:
    """Delete the rows in these ranges of keys that aren't kept. One range of each table.

    Few statements, however many tables: at its start mtd learns those of all devices.
    """
    for group in _groups_of_ranges(ranges):
        stay = [(one.key, row_key) for one in group for row_key in one.kept]
        devices = _columns([key for key, _ in stay]) if stay else ["{}"] * len(StateKey._fields)
        await tx.execute(
            "DELETE FROM state_row s USING unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[],"
            f" {_TOLD_TYPES}) AS t (tenant_id, device_id, table_name, after, up_to, {', '.join(_TOLD)})"
            f" WHERE s.tenant_id = t.tenant_id AND {_NOT_NEWER.format('t', 'from_us(t.us)')}"
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
                *_told_columns([one.told for one in group]),
                *devices,
                literals.texts(row_key for _, row_key in stay),
            ],
        )


def _columns(keys: Sequence[StateKey]) -> list[str]:
    return [literals.texts(column) for column in zip(*keys, strict=True)]


def _told_columns(told: Sequence[Told]) -> list[str]:
    return [literals.plain(column) for column in zip(*told, strict=True)]


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
    """Store documents that differ from the one before them, in the given order.

    One that comes late stands where it belongs; the one behind it goes if it says the same.
    """
    for group in _groups_of_snapshots(rows):
        columns = list(zip(*group, strict=True))
        names = [
            *(literals.texts(column) for column in columns[:3]),
            literals.plain(columns[4]),
            literals.bytea(columns[5]),
        ]
        await tx.execute(
            "INSERT INTO snapshot (log_id, tenant_id, device_id, kind, seq, ts_collected, sha256, content)"
            " SELECT %s, t.tenant_id, t.device_id, t.kind, t.seq, from_us(t.us), t.sha256, t.content"
            " FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::int8[], %s::int8[], %s::bytea[], %s::text[])"
            " AS t (tenant_id, device_id, kind, seq, us, sha256, content)"
            " WHERE t.sha256 IS DISTINCT FROM (SELECT s.sha256 FROM snapshot s WHERE s.tenant_id = t.tenant_id"
            "  AND s.device_id = t.device_id AND s.kind = t.kind AND s.ts_collected <= from_us(t.us)"
            "  ORDER BY s.ts_collected DESC LIMIT 1)"
            " ON CONFLICT (tenant_id, device_id, kind, ts_collected) DO UPDATE"
            " SET sha256 = excluded.sha256, content = excluded.content, log_id = excluded.log_id, seq = excluded.seq",
            [
                log_id,
                *names[:3],
                *(literals.plain(column) for column in columns[3:5]),
                names[4],
                literals.texts(columns[6]),
            ],
        )
        await tx.execute(
            "DELETE FROM snapshot s USING unnest(%s::uuid[], %s::uuid[], %s::text[], %s::int8[], %s::bytea[])"
            " AS t (tenant_id, device_id, kind, us, sha256) WHERE s.tenant_id = t.tenant_id"
            " AND s.device_id = t.device_id AND s.kind = t.kind AND s.sha256 = t.sha256"
            " AND s.ts_collected = (SELECT min(n.ts_collected) FROM snapshot n WHERE n.tenant_id = t.tenant_id"
            "  AND n.device_id = t.device_id AND n.kind = t.kind AND n.ts_collected > from_us(t.us))",
            names,
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
