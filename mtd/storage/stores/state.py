"""Current-state tables as rows of ``state_row``, and documents."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from mtd.storage import literals
from mtd.storage.txn import Transaction

_STATEMENT_CHARACTERS = 1_000_000  # joining and sending a statement holds the loop


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


async def upsert_rows(tx: Transaction, log_id: str, rows: Sequence[StateRow]) -> None:
    """Store rows; those that are stored just like that keep their time of change. One row for each key."""
    if not rows:
        return
    columns = list(zip(*rows, strict=True))
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
    if keys:
        await tx.execute(
            "DELETE FROM state_row s USING unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[])"
            " AS t (tenant_id, device_id, table_name, row_key) WHERE s.tenant_id = t.tenant_id"
            " AND s.device_id = t.device_id AND s.table_name = t.table_name AND s.row_key = t.row_key",
            [*_columns([key for key, _ in keys]), literals.texts(row_key for _, row_key in keys)],
        )


async def delete_all_but(tx: Transaction, kept: Mapping[StateKey, Collection[str]]) -> None:
    """Delete the rows of these tables of devices whose keys aren't among those.

    One statement, however many tables: at its start mtd learns those of all devices.
    """
    if not kept:
        return
    stay = [(key, row_key) for key, row_keys in kept.items() for row_key in row_keys]
    devices = _columns([key for key, _ in stay]) if stay else ["{}"] * len(StateKey._fields)
    await tx.execute(
        "DELETE FROM state_row s USING unnest(%s::uuid[], %s::uuid[], %s::text[])"
        " AS t (tenant_id, device_id, table_name) WHERE s.tenant_id = t.tenant_id"
        " AND s.device_id = t.device_id AND s.table_name = t.table_name AND NOT EXISTS ("
        "  SELECT FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[])"
        "  AS k (tenant_id, device_id, table_name, row_key) WHERE k.tenant_id = s.tenant_id"
        "  AND k.device_id = s.device_id AND k.table_name = s.table_name AND k.row_key = s.row_key)",
        [*_columns(list(kept)), *devices, literals.texts(row_key for _, row_key in stay)],
    )


def _columns(keys: Sequence[StateKey]) -> list[str]:
    return [literals.texts(column) for column in zip(*keys, strict=True)]


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
