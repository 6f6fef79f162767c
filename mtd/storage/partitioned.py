"""Which tables are partitioned, by what period, and how a partition is made and recognised.

Pure: statements and arithmetic, for those who run them on the reactor
(``mtd.storage.partitions``) and in workers (``mtd.storage.cold.partitions``).
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
STANDARD = "standard"
"""The retention class of what no configured class matches."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Period(enum.Enum):
    """What one partition holds, in UTC. The value is how its name tells it."""

    HOUR = "%Y%m%d%H"
    DAY = "%Y%m%d"
    MONTH = "%Y%m"

    def bounds(self, us: int) -> tuple[int, int]:
        """Return the period that holds a time, [start, end), in microseconds since the epoch."""
        if self is not Period.MONTH:
            length = HOUR_US if self is Period.HOUR else DAY_US
            return us - us % length, us - us % length + length
        first = (_EPOCH + dt.timedelta(days=us // DAY_US)).replace(day=1)
        following = (first + dt.timedelta(days=32)).replace(day=1)
        return to_us(first), to_us(following)


@dataclass(frozen=True, slots=True)
class PartitionedTable:
    """A table of schema ``mtd`` that is partitioned by time.

    ``classed``: by retention class first, and each class by time. ``options``
    are those of the partitions that hold rows; PostgreSQL takes none on the others.
    """

    name: str
    period: Period
    classed: bool = False
    options: str = ""

    def parent(self, retention: str = STANDARD) -> str:
        """Return the table that partitions are attached to."""
        return f"{self.name}_{retention}" if self.classed else self.name

    def partition(self, us: int, retention: str = STANDARD) -> str:
        """Return the name of the partition that holds a time."""
        first = _EPOCH + dt.timedelta(microseconds=self.period.bounds(us)[0])
        return f"{self.parent(retention)}_{first.strftime(self.period.value)}"


# Hot hours are written once, read once and dropped: vacuuming them, after the
# inserts or after compaction deleted their frames, would be work for nothing. One
# that stays (late frames, a day of an older version) is vacuumed when more is dead
# than alive. Statistics are still wanted, by the usual rules.
_HOT = (
    "autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_scale_factor = 1,"
    " toast.autovacuum_vacuum_insert_threshold = -1, toast.autovacuum_vacuum_scale_factor = 1"
)
# Blocks, axes and rollups are inserted and hardly ever replaced. One vacuum soon after a partition
# is full marks its pages all visible and frozen, so that none comes for its transaction ids years later:
# freeze_min_age 0 freezes what is on the page anyway; by a fifth of new rows at a time, not by thousands.
# What late data replaced is dead at once and reused by the next: a twentieth is enough to come for it.
_COLD = (
    "autovacuum_freeze_min_age = 0, autovacuum_vacuum_insert_scale_factor = 0.2,"
    " autovacuum_vacuum_scale_factor = 0.05, toast.autovacuum_freeze_min_age = 0,"
    " toast.autovacuum_vacuum_insert_scale_factor = 0.2, toast.autovacuum_vacuum_scale_factor = 0.05"
)
# Measured on a third of a day of three routers with 30 interfaces. Readable blocks: 1.364 bytes a point with what
# exceeds 512 bytes after compression out of line, 1.399 with the usual 2 KB, 1.539 with 4 KB: pieces of
# values fill pages better than rows do, and a heap of short rows is quickly counted. Without compression 2.492.
_BLOCK = f"{_COLD}, toast_tuple_target = 512"
# Dense values are a little larger than a piece, rollups of an hour or a day too: a second piece for a rest of them costs
# more than a page that isn't full. Dense 0.832 instead of 0.874 bytes a point; buckets 6.99 instead of 7.34
# (10 s), 8.08 instead of 8.13 (1 min), 10.40 instead of 11.83 (5 min).
DENSE_OPTIONS = "toast_tuple_target = 4080"
_ROLLUP = f"{_COLD}, toast_tuple_target = 8160"

TELEMETRY_FRAME = PartitionedTable("telemetry_frame", Period.HOUR, options=_HOT)
# By the month: a reader of blocks by hour finds their axes by the index, and plans of a few
# partitions are quick; a block's worth of an axis is shared by all series of a device.
TELEMETRY_AXIS = PartitionedTable("telemetry_axis", Period.MONTH, options=_COLD)
TELEMETRY_BLOCK = PartitionedTable("telemetry_block", Period.DAY, classed=True, options=_BLOCK)
ROLLUP_10S = PartitionedTable("rollup_10s", Period.MONTH, classed=True, options=_ROLLUP)
ROLLUP_1M = PartitionedTable("rollup_1m", Period.MONTH, classed=True, options=_ROLLUP)
ROLLUP_5M = PartitionedTable("rollup_5m", Period.MONTH, classed=True, options=_ROLLUP)
EVENT = PartitionedTable("event", Period.MONTH)
DEVICE_HEALTH = PartitionedTable("device_health", Period.MONTH)
# Lines are inserted once, and dropped with their day.
LOG_RECORD = PartitionedTable("log_record", Period.DAY, options=_HOT)
# So are flows. What they add up to comes again when more of a minute comes late.
FLOW_BLOCK = PartitionedTable("flow_block", Period.DAY, options=_HOT)
FLOW_SUM_1M = PartitionedTable("flow_sum_1m", Period.DAY)
FLOW_SUM_1H = PartitionedTable("flow_sum_1h", Period.MONTH)
ROLLUPS = {10: ROLLUP_10S, 60: ROLLUP_1M, 300: ROLLUP_5M}
"""By the seconds of a bucket."""
TABLES = (
    TELEMETRY_FRAME,
    TELEMETRY_AXIS,
    TELEMETRY_BLOCK,
    ROLLUP_10S,
    ROLLUP_1M,
    ROLLUP_5M,
    EVENT,
    DEVICE_HEALTH,
    LOG_RECORD,
    FLOW_BLOCK,
    FLOW_SUM_1M,
    FLOW_SUM_1H,
)


@dataclass(frozen=True, slots=True, order=True)
class Bounds:
    """A partition as it is, [start, end), in microseconds since the epoch."""

    start_us: int
    end_us: int
    name: str


class Known:
    """The partitions of one parent that are known to exist."""

    def __init__(self, found: Sequence[Bounds] = ()) -> None:
        self.bounds = {one.name: one for one in found}
        self._starts: set[int] = set()

    def holds(self, table: PartitionedTable, us: int) -> bool:
        """Whether one of them holds the period of a time."""
        start, end = table.period.bounds(us)
        if start in self._starts:
            return True
        if any(one.start_us <= start and end <= one.end_us for one in self.bounds.values()):
            self._starts.add(start)
            return True
        return False

    def add(self, one: Bounds) -> None:
        """Note one that was made."""
        self.bounds[one.name] = one
        self._starts.add(one.start_us)

    def remove(self, name: str) -> None:
        """Note that one was dropped."""
        self.bounds.pop(name, None)
        self._starts.clear()

    def clear(self) -> None:
        """Know nothing any more."""
        self.bounds.clear()
        self._starts.clear()


LIST_PARTITIONS = """
SELECT c.relname, mtd.to_us(b.bounds[1]::timestamptz), mtd.to_us(b.bounds[2]::timestamptz)
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL regexp_match(
    pg_get_expr(c.relpartbound, c.oid), $$FROM \\('([^']+)'\\) TO \\('([^']+)'\\)$$) AS b (bounds)
WHERE i.inhparent = %s::regclass AND b.bounds IS NOT NULL AND NOT i.inhdetachpending
ORDER BY 2
"""
"""Name and bounds of each partition of a parent, such as ``mtd.event``, whatever it is called."""

LIST_CLASSES = """
SELECT substr(c.relname, length(%s) + 2) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass AND c.relkind = 'p' AND starts_with(c.relname, %s || '_')
"""
"""Retention classes that a table has partitions for; parameters: name, ``mtd.`` name, name."""


def bounds_of(
    fetch: Callable[[str, Sequence[Any]], Sequence[tuple[Any, ...]]],
    table: PartitionedTable,
    retention: str = STANDARD,
) -> list[Bounds]:
    """Return the partitions of a table, or of one of its classes, in order."""
    return to_bounds(fetch(LIST_PARTITIONS, [f"mtd.{table.parent(retention)}"]))


def to_bounds(rows: Sequence[tuple[Any, ...]]) -> list[Bounds]:
    """Return what the rows of LIST_PARTITIONS say."""
    return [Bounds(int(start), int(end), str(name)) for name, start, end in rows]


LOCK = "SELECT pg_advisory_xact_lock(hashtext(%s))"
"""Who makes or retires a partition, by its name with the schema, holds this until the transaction ends."""

STANDING = """
SELECT t.oid IS NOT NULL, EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = t.oid)
FROM (SELECT to_regclass(%s)::oid) AS t (oid)
"""
"""Whether a table exists, and whether it is attached to a parent."""


WATCHED = """
SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.locktype = 'relation'
AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND l.relation IN (to_regclass(%s), to_regclass(%s)) AND a.pid <> pg_backend_pid()
AND (a.xact_start IS NULL OR a.xact_start < clock_timestamp() - make_interval(secs => %s)) LIMIT 1
"""
"""A row if a transaction looks at a parent or its partition for longer than some seconds.

Who may not see since when (of other roles that takes ``pg_monitor``) counts each as one.
"""

RETIRED = "_gone"
"""What the name of a partition of frames ends with that was detached to be dropped."""


def create_class(table: PartitionedTable, retention: str) -> str:
    """Return the statement that makes the partition of a retention class, unless it is there: then it locks nothing."""
    column = "hour" if table is TELEMETRY_BLOCK else "start"
    name = f"mtd.{table.parent(retention)}"
    return (
        f"DO $$ BEGIN IF to_regclass('{name}') IS NULL THEN"
        f" CREATE TABLE IF NOT EXISTS {name} PARTITION OF mtd.{table.name}"
        f" FOR VALUES IN ('{retention}') PARTITION BY RANGE ({column});"
        f" {_shut(name)}; END IF; END $$"
    )


def create_partition(table: PartitionedTable, us: int, retention: str = STANDARD) -> str:
    """Return the statements that make the partition of a time.

    Made aside and attached: that locks the parent against other DDL only, not against inserts.
    """
    name, parent = table.partition(us, retention), table.parent(retention)
    options = f" WITH ({table.options})" if table.options else ""
    return (
        f"CREATE TABLE mtd.{name} (LIKE mtd.{parent} INCLUDING DEFAULTS INCLUDING STORAGE){options};"
        f"{_shut(f'mtd.{name}')};" + attach_partition(table, us, retention)
    )


def _shut(name: str) -> str:
    """Return the statement after which only the owner reads a partition by itself, whatever was granted to whom.

    Row-level security without a policy. What is asked through the parent goes by the parent's policies.
    """
    return f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"


def attach_partition(table: PartitionedTable, us: int, retention: str = STANDARD) -> str:
    """Return the statement that attaches the table of a time."""
    start, end = table.period.bounds(us)
    return (
        f"ALTER TABLE mtd.{table.parent(retention)} ATTACH PARTITION mtd.{table.partition(us, retention)}"
        f" FOR VALUES FROM ('{_iso(start)}') TO ('{_iso(end)}')"
    )


def made(table: PartitionedTable, us: int, retention: str = STANDARD) -> Bounds:
    """Return the partition that ``create_partition`` makes."""
    return Bounds(*table.period.bounds(us), table.partition(us, retention))


def to_us(moment: dt.datetime) -> int:
    """Return a moment in microseconds since the epoch."""
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def _iso(us: int) -> str:
    return (_EPOCH + dt.timedelta(microseconds=us)).isoformat()
