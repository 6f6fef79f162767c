"""Rows of ``rollup_10s``, ``rollup_1m`` and ``rollup_5m``."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from mtd.storage.cold import binary
from mtd.storage.cold.connection import ColdConnection, from_postgres_us, timestamp, to_postgres_us
from mtd.storage.partitioned import DAY_US, HOUR_US, ROLLUPS

LONGEST_ROW_US = DAY_US
"""No row holds more than a day: reading looks that far back for one that reaches into its range."""

_COLUMNS = "tenant_id, start, series_id, buckets, retention, packed"


class RollupRow(NamedTuple):
    """Consecutive buckets of a series from ``start_us`` on, as ``mtd.codec.rollups`` packs them."""

    tenant_id: str
    series_id: int
    start_us: int
    buckets: int
    retention: str
    packed: bytes


def write_rollups(connection: ColdConnection, step_s: int, rows: Iterable[RollupRow]) -> int:
    """Store rows whose partitions exist; return how many. Raises Duplicate for one that is there."""
    return connection.copy_in(
        f"COPY mtd.{ROLLUPS[step_s].name} ({_COLUMNS}) FROM STDIN (FORMAT BINARY)",
        binary.copy_data(map(_fields, rows)),
    )


def replace_rollups(
    connection: ColdConnection, step_s: int, rows: Sequence[RollupRow], old: Sequence[RollupRow] = ()
) -> int:
    """Store rows in the place of those of the same series and start, whatever their class, and of others; return how many."""
    gone = [*rows, *old]
    if gone:
        starts = [row.start_us for row in gone]
        connection.execute(
            f"DELETE FROM mtd.{ROLLUPS[step_s].name} r USING unnest(%s::int4[], %s::timestamptz[]) AS k (series_id, start)"
            " WHERE r.series_id = k.series_id AND r.start = k.start AND r.start BETWEEN %s AND %s",
            [
                [row.series_id for row in gone],
                [timestamp(start) for start in starts],
                timestamp(min(starts)),
                timestamp(max(starts)),
            ],
        )
    return write_rollups(connection, step_s, rows)


def delete_rollups(
    connection: ColdConnection, step_s: int, series_ids: Collection[int], from_us: int, until_us: int
) -> int:
    """Delete the rows of series that start within [from, until); return how many there were."""
    return connection.execute(
        f"DELETE FROM mtd.{ROLLUPS[step_s].name} WHERE series_id = ANY (%s::int4[]) AND start >= %s AND start < %s",
        [list(series_ids), timestamp(from_us), timestamp(until_us)],
    )


def read_rollups(
    connection: ColdConnection, step_s: int, series_ids: Collection[int], from_us: int, until_us: int
) -> list[RollupRow]:
    """Return the rows of series that hold buckets of [from, until), by series and start."""
    rows = connection.fetch_raw(
        f"SELECT {_COLUMNS} FROM mtd.{ROLLUPS[step_s].name}"
        " WHERE series_id = ANY (%s::int4[]) AND start > %s AND start < %s ORDER BY series_id, start",
        [list(series_ids), timestamp(from_us - LONGEST_ROW_US), timestamp(until_us)],
    )
    found = [_row(row) for row in rows]
    return [row for row in found if row.start_us + row.buckets * step_s * 1_000_000 > from_us]


def rollups_over(
    connection: ColdConnection, step_s: int, series_ids: Collection[int], hour_us: int
) -> list[RollupRow]:
    """Return the rows of series that hold buckets of an hour, by series and start; quickly where there is none.

    Other hours of the same day, of which there may be many, are left out by PostgreSQL.
    """
    rows = connection.fetch_raw(
        f"SELECT {_COLUMNS} FROM mtd.{ROLLUPS[step_s].name}"
        " WHERE series_id = ANY (%s::int4[]) AND start > %s AND start < %s AND (start >= %s OR buckets > %s)"
        " ORDER BY series_id, start",
        [
            list(series_ids),
            timestamp(hour_us - LONGEST_ROW_US),
            timestamp(hour_us + HOUR_US),
            timestamp(hour_us),
            HOUR_US // 1_000_000 // step_s,
        ],
    )
    found = [_row(row) for row in rows]
    return [row for row in found if row.start_us + row.buckets * step_s * 1_000_000 > hour_us]


def _fields(row: RollupRow) -> list[bytes]:
    return [
        binary.bytes_field(uuid.UUID(row.tenant_id).bytes),
        binary.int8_field(to_postgres_us(row.start_us)),
        binary.int4_field(row.series_id),
        binary.int4_field(row.buckets),
        binary.bytes_field(row.retention.encode()),
        binary.bytes_field(row.packed),
    ]


def _row(row: Sequence[bytes | None]) -> RollupRow:
    tenant, start, series_id, buckets, retention, packed = (data or b"" for data in row)
    return RollupRow(
        str(uuid.UUID(bytes=tenant)),
        int.from_bytes(series_id, "big", signed=True),
        from_postgres_us(int.from_bytes(start, "big", signed=True)),
        int.from_bytes(buckets, "big", signed=True),
        retention.decode(),
        packed,
    )
