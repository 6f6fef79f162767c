"""What the compaction asks and does beside rows: what there is to do, and partitions as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mtd.storage.cold.connection import ColdConnection, timestamp
from mtd.storage.partitioned import (
    DAY_US,
    DENSE_OPTIONS,
    HOUR_US,
    LIST_CLASSES,
    RETIRED,
    ROLLUPS,
    TELEMETRY_BLOCK,
    TELEMETRY_FRAME,
    WATCHED,
    Bounds,
    bounds_of,
)

# Ours alone: 6D746400 is the migration's, 6D746401 that of the positions of events.
_ROUND_LOCK = 0x6D746402
_TURN_S = 0.5
_TELL_FIRST_S = 5.0
_TELL_AGAIN_S = 600.0
_DENSE_MARK = "dense"
_LOCK_TIMEOUT_MS = 2000
_DETACH_TIMEOUT_MS = 200


@contextmanager
def one_round(
    connection: ColdConnection,
    wait: Callable[[float], object],
    stopped: Callable[[], bool],
    tell: Callable[[str, float], None],
) -> Iterator[bool]:
    """Take the turn to compact this database, and keep others waiting; whether it was to be had before ``stopped``.

    Each time that ``tell`` is called it hears who has it, and for how many seconds
    this waits: at first after some, then every ten minutes. A process that was
    stopped by Ctrl-Z keeps its turn.
    """
    waited_s, told_s = 0.0, _TELL_FIRST_S
    while not connection.fetch("SELECT pg_try_advisory_lock(%s)", [_ROUND_LOCK])[0][0]:
        if waited_s >= told_s:
            tell(_who_compacts(connection), waited_s)
            told_s = waited_s + _TELL_AGAIN_S
        wait(_TURN_S)
        waited_s += _TURN_S
        if stopped():
            yield False
            return
    try:
        yield True
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s)", [_ROUND_LOCK])


def _who_compacts(connection: ColdConnection) -> str:
    rows = connection.fetch(
        "SELECT coalesce(nullif(a.application_name, ''), 'a process'), l.pid, coalesce(host(a.client_addr), 'this host')"
        " FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted"
        " AND l.classid = 0 AND l.objid = %s AND l.objsubid = 1"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [_ROUND_LOCK],
    )
    return (
        ", ".join(f"{name} on {host}, process {pid} of PostgreSQL" for name, pid, host in rows)
        or "nobody now"
    )


@contextmanager
def partition_name(connection: ColdConnection, name: str) -> Iterator[None]:
    """Hold the lock of those who make or retire a partition, from before the transaction that looks at it."""
    connection.execute("SELECT pg_advisory_lock(hashtext(%s))", [f"mtd.{name}"])
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(hashtext(%s))", [f"mtd.{name}"])


@contextmanager
def patience(connection: ColdConnection, timeout_ms: int) -> Iterator[None]:
    """Wait for no lock longer than this: StorageUnavailable, then."""
    connection.execute(f"SET lock_timeout = {timeout_ms}")
    try:
        yield
    finally:
        if not connection.broken:
            connection.execute("RESET lock_timeout")


def layouts_in(connection: ColdConnection, device_id: str, hour_us: int) -> dict[int, int]:
    """Return how many frames of each layout a device has in an hour."""
    rows = connection.fetch(
        "SELECT layout_id, count(*) FROM mtd.telemetry_frame"
        " WHERE device_id = %s AND ts_collected >= %s AND ts_collected < %s GROUP BY layout_id",
        [device_id, timestamp(hour_us), timestamp(hour_us + HOUR_US)],
    )
    return {int(layout_id): int(count) for layout_id, count in rows}


def numbers_of(
    connection: ColdConnection, device_id: str, poll_group: str
) -> list[tuple[str, str, str, int]]:
    """Return (metric, instance, lane, number) of the series of a device and poll group."""
    rows = connection.fetch(
        "SELECT metric, instance, lane, series_id FROM mtd.series WHERE device_id = %s AND poll_group = %s",
        [device_id, poll_group],
    )
    return [(str(metric), str(instance), str(lane), int(number)) for metric, instance, lane, number in rows]


def all_numbers_of(connection: ColdConnection, device_id: str) -> list[int]:
    """Return the numbers of all series of a device."""
    rows = connection.fetch(
        "SELECT series_id FROM mtd.series WHERE device_id = %s ORDER BY series_id", [device_id]
    )
    return [int(number) for (number,) in rows]


def has_axes(
    connection: ColdConnection, device_id: str, poll_group: str, from_us: int, until_us: int
) -> bool:
    """Whether hours that begin within [from, until) are stored of a device and poll group."""
    rows = connection.fetch(
        "SELECT FROM mtd.telemetry_axis WHERE device_id = %s AND poll_group = %s AND hour >= %s AND hour < %s LIMIT 1",
        [device_id, poll_group, timestamp(from_us), timestamp(until_us)],
    )
    return bool(rows)


def days_in_hours(
    connection: ColdConnection, step_s: int, from_us: int, until_us: int
) -> list[tuple[int, str]]:
    """Return (day, device) of the days within [from, until) of which a rollup has rows of single hours."""
    rows = connection.fetch(
        "SELECT DISTINCT r.day, s.device_id::text FROM ("
        "  SELECT DISTINCT mtd.to_us(start) / %s AS day, series_id"
        f" FROM mtd.{ROLLUPS[step_s].name} WHERE start >= %s AND start < %s AND buckets = %s"
        " ) r JOIN mtd.series s USING (series_id)",
        [DAY_US, timestamp(from_us), timestamp(until_us), 3600 // step_s],
    )
    return [(int(day) * DAY_US, str(device_id)) for day, device_id in rows]


def is_watched(connection: ColdConnection, name: str, longer_than_s: float) -> bool:
    """Whether a transaction is open for so long that looked at frames: detaching a partition would wait for it."""
    table = TELEMETRY_FRAME.name
    return bool(connection.fetch(WATCHED, [f"mtd.{table}", f"mtd.{name}", longer_than_s]))


def detach_frames(connection: ColdConnection, name: str) -> None:
    """Detach a partition of frames; ``ColdPartitions.finish_retiring`` puts back what is in it, and drops it.

    It gets a name that tells that it is ours to end: what an operator detached is not.

    Not CONCURRENTLY: that never makes anyone wait, but it is two transactions, and
    while the second waits for an old reader no partition can be made for that
    hour. One late frame would then hold up all of projecting, for as long as a
    dump takes. This way everybody waits, but for a moment that is bounded: raises
    StorageUnavailable if it isn't to be had at once. One that somebody dropped is no error.
    """
    with patience(connection, _DETACH_TIMEOUT_MS), partition_name(connection, name), connection.transaction():
        ((exists,),) = connection.fetch("SELECT to_regclass(%s) IS NOT NULL", [f"mtd.{name}"])
        if exists:
            connection.execute(f"ALTER TABLE mtd.telemetry_frame DETACH PARTITION mtd.{name}")
            connection.execute(f"ALTER TABLE mtd.{name} RENAME TO {name}{RETIRED}")


def never_used(connection: ColdConnection, name: str) -> bool:
    """Whether a table has no page yet: it costs nothing, whoever looks at it."""
    ((size,),) = connection.fetch("SELECT pg_relation_size(to_regclass(%s))", [f"mtd.{name}"])
    return bool(size == 0)


def days_to_recode(connection: ColdConnection, before_us: int) -> list[Bounds]:
    """Return the partitions of blocks that end at or before a time and aren't marked as dense, oldest first."""
    name = TELEMETRY_BLOCK.name
    classes = connection.fetch(LIST_CLASSES, [name, f"mtd.{name}", name])
    marked = connection.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_description d"
        " ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0"
        " WHERE c.relnamespace = 'mtd'::regnamespace AND d.description = %s",
        [_DENSE_MARK],
    )
    done = {str(found) for (found,) in marked}
    days = [
        one for (retention,) in classes for one in bounds_of(connection.fetch, TELEMETRY_BLOCK, retention)
    ]
    return sorted(one for one in days if one.end_us <= before_us and one.name not in done)


def series_to_recode(connection: ColdConnection, partition: Bounds) -> list[tuple[str, str, str, int]]:
    """Return (device, poll group, lane, number) of the series with blocks that aren't dense, by device and poll group."""
    rows = connection.fetch(
        "SELECT s.device_id::text, s.poll_group, s.lane, s.series_id FROM mtd.series s WHERE s.series_id IN"
        f" (SELECT b.series_id FROM mtd.{partition.name} b WHERE b.form <> 'z') ORDER BY 1, 2, 4",
    )
    return [(str(device), str(group), str(lane), int(number)) for device, group, lane, number in rows]


def settle_recoded(connection: ColdConnection, partition: Bounds) -> None:
    """Give the room of replaced blocks back, put those of a series beside each other, and mark the day as dense.

    Queries of that day wait meanwhile, nothing else does.
    """
    with patience(connection, _LOCK_TIMEOUT_MS):
        ((index,),) = connection.fetch(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE i.indrelid = %s::regclass AND i.indisunique",
            [f"mtd.{partition.name}"],
        )
        connection.execute(f"ALTER TABLE mtd.{partition.name} SET ({DENSE_OPTIONS})")
        connection.execute(f"CLUSTER mtd.{partition.name} USING {index}")
        connection.execute(f"ANALYZE mtd.{partition.name}")
        connection.execute(f"COMMENT ON TABLE mtd.{partition.name} IS '{_DENSE_MARK}'")
