"""What the storage holds: partitions, bytes, points, what waits, what is dead. Blocking, reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mtd.storage.cold.connection import ColdConnection, timestamp
from mtd.storage.cold.frames import closed_hours
from mtd.storage.partitioned import (
    DAY_US,
    HOUR_US,
    LIST_CLASSES,
    ROLLUPS,
    STANDARD,
    TABLES,
    TELEMETRY_BLOCK,
    TELEMETRY_FRAME,
    Bounds,
    PartitionedTable,
    bounds_of,
)

_PAGE_BYTES = 8192
# Of a larger partition so many pages are counted, spread over it: the rest is like them.
_SAMPLED_PAGES = 4000

_SIZES = """
SELECT c.relname, pg_relation_size(c.oid), coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0),
       pg_indexes_size(c.oid), pg_total_relation_size(c.oid),
       coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0), coalesce(t.n_live_tup, 0), coalesce(t.n_dead_tup, 0)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
LEFT JOIN pg_stat_all_tables t ON t.relid = c.reltoastrelid
WHERE i.inhparent = %s::regclass
"""


@dataclass(slots=True)
class Usage:
    """Partitions of a table, or of one of its classes. Times in microseconds since the epoch, 0: there is none."""

    table: str
    retention: str  # empty: the table has no classes
    partitions: int = 0
    first_us: int = 0
    end_us: int = 0
    heap_bytes: int = 0
    toast_bytes: int = 0
    index_bytes: int = 0
    total_bytes: int = 0
    live_rows: int = 0
    dead_rows: int = 0
    live_pieces: int = 0  # of values out of line
    dead_pieces: int = 0

    @property
    def dead_share(self) -> float:
        """How many of the rows and pieces are dead, 0 to 1."""
        dead = self.dead_rows + self.dead_pieces
        everything = dead + self.live_rows + self.live_pieces
        return dead / everything if everything else 0.0


@dataclass(slots=True)
class Stored:
    """Points (of rollups: buckets) of one kind, and their bytes, all in.

    ``day_points``: those of the last ``day_hours`` hours with blocks.
    """

    kind: str  # hot, readable, dense, rollup_10s, rollup_1m, rollup_5m
    retention: str
    points: int = 0
    bytes: int = 0
    rows: int = 0
    day_points: int = 0

    @property
    def bytes_per_point(self) -> float | None:
        """Bytes for a point; None without any."""
        return self.bytes / self.points if self.points else None


@dataclass(slots=True)
class Waiting:
    """Closed hours that still have frames. Microseconds since the epoch."""

    hours: int = 0
    oldest_us: int = 0
    emptied: int = 0  # partitions of closed hours without frames, about to be dropped


@dataclass(slots=True)
class StorageStatus:
    """Everything that ``mtd storage status`` tells, but for what follows from the configuration."""

    database_bytes: int = 0
    usage: list[Usage] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    axis_bytes: int = 0
    day_hours: int = 0
    waiting: Waiting = field(default_factory=Waiting)
    bounds: dict[tuple[str, str], list[Bounds]] = field(default_factory=dict)
    """Partitions by table and class, in order."""


def read_status(connection: ColdConnection, closed_before_us: int) -> StorageStatus:
    """Read it all; ``closed_before_us``: hours that end by then should be compacted."""
    status = StorageStatus(database_bytes=_number(connection, "SELECT pg_database_size(current_database())"))
    sizes: dict[str, int] = {}
    for table in TABLES:
        for retention in _classes(connection, table):
            found = bounds_of(connection.fetch, table, retention)
            status.bounds[table.name, retention] = found
            usage = Usage(table.name, retention if table.classed else "")
            _measure(connection, table.parent(retention), usage, sizes)
            usage.partitions = len(found)
            usage.first_us, usage.end_us = (found[0].start_us, found[-1].end_us) if found else (0, 0)
            status.usage.append(usage)
            if table.name == "telemetry_axis":
                status.axis_bytes = usage.total_bytes
    _count_points(connection, status, sizes)
    hours = closed_hours(connection, closed_before_us)
    status.waiting = Waiting(
        len(hours), hours[0] if hours else 0, _emptied(connection, status, closed_before_us)
    )
    return status


def _classes(connection: ColdConnection, table: PartitionedTable) -> Sequence[str]:
    if not table.classed:
        return (STANDARD,)
    rows = connection.fetch(LIST_CLASSES, [table.name, f"mtd.{table.name}", table.name])
    return sorted((str(name) for (name,) in rows), key=lambda name: (name != STANDARD, name))


def _measure(connection: ColdConnection, parent: str, usage: Usage, sizes: dict[str, int]) -> None:
    for name, heap, toast, index, total, live, dead, live_pieces, dead_pieces in connection.fetch(
        _SIZES, [f"mtd.{parent}"]
    ):
        sizes[name] = total
        usage.heap_bytes += heap
        usage.toast_bytes += toast
        usage.index_bytes += index
        usage.total_bytes += total
        usage.live_rows += live
        usage.dead_rows += dead
        usage.live_pieces += live_pieces
        usage.dead_pieces += dead_pieces


def _count_points(connection: ColdConnection, status: StorageStatus, sizes: dict[str, int]) -> None:
    hot = Stored("hot", "")
    for one in status.bounds[TELEMETRY_FRAME.name, STANDARD]:
        points, rows = _hot_points(connection, one.name)
        hot.points += points
        hot.rows += rows
        if rows:  # of an emptied hour the bytes would count, and no point
            hot.bytes += sizes[one.name]
    status.stored.append(hot)
    newest_us = _newest_hour(connection, status.bounds)
    since_us = newest_us + HOUR_US - DAY_US
    hours: set[int] = set()
    steps = {table.name: step_s for step_s, table in ROLLUPS.items()}
    for (table, retention), found in status.bounds.items():
        if table == TELEMETRY_BLOCK.name:
            status.stored += _blocks(connection, retention, found, sizes, since_us, hours)
        elif table in steps:
            rollup = Stored(table, retention)
            for one in found:
                rows, buckets, recent = _rollup(connection, one, steps[table], since_us, newest_us + HOUR_US)
                rollup.rows += rows
                rollup.points += buckets
                rollup.day_points += recent
                rollup.bytes += sizes[one.name] if rows else 0
            status.stored.append(rollup)
    status.day_hours = len(hours)


def _blocks(
    connection: ColdConnection,
    retention: str,
    found: Iterable[Bounds],
    sizes: dict[str, int],
    since_us: int,
    hours: set[int],
) -> list[Stored]:
    """Return the readable and the dense points of a class; the hours of the last day come into ``hours``."""
    kinds = {False: Stored("readable", retention), True: Stored("dense", retention)}
    for one in found:
        sample, scale = _sample(connection, one.name)
        counted = connection.fetch(
            f"SELECT form = 'z', count(*), coalesce(sum(points), 0)::int8,"
            f" coalesce(sum(points) FILTER (WHERE hour >= %s), 0)::int8, array_agg(DISTINCT mtd.to_us(hour))"
            f" FROM mtd.{one.name} {sample} GROUP BY 1",
            [timestamp(since_us)],
        )
        rows_of_all = sum(rows for _, rows, _, _, _ in counted)
        for dense, rows, points, recent, times in counted:
            kind = kinds[dense]
            kind.rows += round(rows * scale)
            kind.points += round(points * scale)
            kind.day_points += round(recent * scale)
            # A day is of one form, but for the time in which it is recoded: then its bytes go by rows.
            kind.bytes += round(sizes[one.name] * rows / rows_of_all)
            hours.update(us for us in times if us >= since_us)
    return list(kinds.values())


def _rollup(
    connection: ColdConnection, one: Bounds, step_s: int, since_us: int, until_us: int
) -> tuple[int, int, int]:
    """Return rows, buckets, and how many of the latter lie within [since, until): a row may hold a day."""
    sample, scale = _sample(connection, one.name)
    ((rows, buckets, recent),) = connection.fetch(
        "SELECT count(*), coalesce(sum(buckets), 0)::int8, coalesce(sum(greatest(0,"
        " least(mtd.to_us(start) / 1000000 + buckets * %(step)s, %(until)s)"
        " - greatest(mtd.to_us(start) / 1000000, %(since)s)) / %(step)s), 0)::int8"
        f" FROM mtd.{one.name} {sample}",
        {"step": step_s, "since": since_us // 1_000_000, "until": until_us // 1_000_000},
    )
    return round(rows * scale), round(buckets * scale), round(recent * scale)


def _hot_points(connection: ColdConnection, name: str) -> tuple[int, int]:
    sample, scale = _sample(connection, name)
    ((points, rows),) = connection.fetch(
        "SELECT coalesce(sum(f.frames * (s.counters + s.gauges)), 0)::int8, coalesce(sum(f.frames), 0)::int8 FROM ("
        f" SELECT tenant_id, layout_id, count(*) AS frames FROM mtd.{name} {sample} GROUP BY 1, 2"
        ") f JOIN mtd.series_layout s USING (tenant_id, layout_id)"
    )
    return round(points * scale), round(rows * scale)


def _sample(connection: ColdConnection, name: str) -> tuple[str, float]:
    """Return what makes a query read at most some pages of a table, and by how much to multiply what it counts."""
    pages = _number(connection, "SELECT pg_relation_size(%s::regclass)", [f"mtd.{name}"]) / _PAGE_BYTES
    if pages <= _SAMPLED_PAGES:
        return "", 1.0
    percent = 100 * _SAMPLED_PAGES / pages
    return f"TABLESAMPLE SYSTEM ({percent:.4f}) REPEATABLE (1)", 100 / percent


def _newest_hour(connection: ColdConnection, bounds: dict[tuple[str, str], list[Bounds]]) -> int:
    """Return the newest hour that has blocks; 0 if none has."""
    newest = 0
    for (table, _), found in bounds.items():
        if table == TELEMETRY_BLOCK.name:
            for one in reversed(found):
                us = _number(connection, f"SELECT coalesce(mtd.to_us(max(hour)), 0) FROM mtd.{one.name}")
                newest = max(newest, us)
                if us:
                    break
    return newest


def _emptied(connection: ColdConnection, status: StorageStatus, before_us: int) -> int:
    return sum(
        not connection.fetch(f"SELECT FROM mtd.{one.name} LIMIT 1")
        for one in status.bounds[TELEMETRY_FRAME.name, STANDARD]
        if one.end_us <= before_us
    )


def _number(connection: ColdConnection, sql: str, params: Sequence[Any] | None = None) -> int:
    return int(connection.fetch(sql, params)[0][0])
