"""Many devices at once: each process takes device after device; one alone is written in this one. Blocking."""

from __future__ import annotations

import enum
import multiprocessing
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from mtd.backfill.fleet import DevicePlan
from mtd.backfill.history import DeviceHistory
from mtd.backfill.stored import remove_days, stored_hours
from mtd.backfill.writer import HistoryWriter, Wrote
from mtd.core.errors import Conflict
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.partitions import ColdPartitions
from mtd.storage.config import RetentionConfig
from mtd.storage.partitioned import (
    DAY_US,
    DENSE_OPTIONS,
    HOUR_US,
    ROLLUPS,
    TELEMETRY_AXIS,
    TELEMETRY_BLOCK,
    bounds_of,
)
from mtd.storage.retention import Retention, RetentionClasses

_LOOK_S = 0.2
_NAMED = 5
_HOURS_PER_DAY = DAY_US // HOUR_US

Progress = Callable[[int, int], None]
"""Told now and then: points written, and about how many there will be."""


class Existing(enum.StrEnum):
    """What happens to hours of which something is stored."""

    REFUSE = "refuse"  # nothing is written at all
    KEEP = "keep"  # they stay, the history flows around them
    REPLACE = "replace"  # they are deleted, whole days of them


@dataclass(frozen=True, slots=True)
class Filling:
    """What to write: ``hours`` from ``first_hour`` on, counted since the epoch."""

    devices: Sequence[DevicePlan]
    first_hour: int
    hours: int
    seed: int = 0
    dense: bool = False
    existing: Existing = Existing.REFUSE
    processes: int = 2
    retention: RetentionConfig = field(default_factory=RetentionConfig)


@dataclass(frozen=True, slots=True)
class Filled:
    """What was written, how long it took, and the hours that were kept."""

    points: int
    duration_s: float
    hours_kept: int

    @property
    def points_per_s(self) -> float:
        """How fast it was."""
        return self.points / self.duration_s if self.duration_s else 0.0


def fill(dsn: str, filling: Filling, progress: Progress) -> Filled:
    """Write the history. Raises Conflict if something is stored and nobody said what to do about it."""
    started = time.monotonic()
    kept = _make_room(dsn, filling)
    due = sum(
        (filling.hours - len(kept[plan.device_id])) * 3600 * plan.points_per_poll for plan in filling.devices
    )
    processes = max(1, min(filling.processes, len(filling.devices)))
    write = _in_processes if processes > 1 else _here
    points = write(dsn, filling, kept, due, progress, processes)
    return Filled(points, time.monotonic() - started, sum(map(len, kept.values())))


Kept = Mapping[str, frozenset[int]]
"""Hours of each device that are kept."""


def _here(dsn: str, filling: Filling, kept: Kept, due: int, progress: Progress, _processes: int) -> int:
    written = 0

    def wrote(points: int) -> None:
        nonlocal written
        written += points
        progress(written, due)

    with ColdConnection(dsn, "mtd backfill", durable=False) as connection:
        return sum(_write(connection, plan, filling, kept[plan.device_id], wrote) for plan in filling.devices)


def _in_processes(
    dsn: str, filling: Filling, kept: Kept, due: int, progress: Progress, processes: int
) -> int:
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    with ProcessPoolExecutor(
        processes, mp_context=context, initializer=_begin, initargs=(dsn, told)
    ) as executor:
        tasks = [
            executor.submit(_fill_device, plan, filling, kept[plan.device_id]) for plan in filling.devices
        ]
        try:
            return _follow(tasks, told, due, progress)
        except BaseException:
            executor.shutdown(cancel_futures=True)
            raise


def _make_room(dsn: str, filling: Filling) -> Kept:
    """Make the partitions; return the hours of each device that are kept."""
    from_us, until_us = filling.first_hour * HOUR_US, (filling.first_hour + filling.hours) * HOUR_US
    with ColdConnection(dsn, "mtd backfill") as connection:
        found = {
            plan.device_id: stored_hours(connection, plan.device_id, from_us, until_us)
            for plan in filling.devices
        }
        real = [plan.name for plan in filling.devices if found[plan.device_id]]
        if real and filling.existing is Existing.REFUSE:
            named = ", ".join(real[:_NAMED]) + (
                f" and {len(real) - _NAMED} more" if len(real) > _NAMED else ""
            )
            hours = sum(map(len, found.values()))
            raise Conflict(
                f"{hours} hours of {named} hold telemetry already: keep them (--existing keep), or have them"
                " deleted (--existing replace)"
            )
        if filling.existing is Existing.REPLACE:
            for plan in filling.devices:
                if found[plan.device_id]:
                    with connection.transaction():
                        remove_days(connection, plan.device_id, from_us, until_us)
            found = {device: set() for device in found}
        partitions = ColdPartitions(connection)
        days = range(from_us - from_us % DAY_US, until_us, DAY_US)
        partitions.ensure(TELEMETRY_AXIS, days)
        for table in (TELEMETRY_BLOCK, *ROLLUPS.values()):
            for name in Retention(filling.retention).classes:
                partitions.ensure(table, days, name)
        if filling.dense:
            for name in Retention(filling.retention).classes:
                _expect_dense(connection, name, from_us, until_us)
    return {device: frozenset(hours) for device, hours in found.items()}


def _expect_dense(connection: ColdConnection, retention: str, from_us: int, until_us: int) -> None:
    """Have empty partitions lay their rows out as suits dense blocks, as those are after they were recoded."""
    for one in bounds_of(connection.fetch, TELEMETRY_BLOCK, retention):
        inside = one.start_us < until_us and one.end_us > from_us
        if inside and not connection.fetch(f"SELECT FROM mtd.{one.name} LIMIT 1"):
            connection.execute(f"ALTER TABLE mtd.{one.name} SET ({DENSE_OPTIONS})")


def _follow(tasks: Sequence[Future[int]], told: Any, due: int, progress: Progress) -> int:
    written = 0
    pending = set(tasks)
    while pending:
        done, pending = wait(pending, timeout=_LOOK_S, return_when="FIRST_EXCEPTION")
        for task in done:
            task.result()
        while True:
            try:
                written += told.get_nowait()
            except queue.Empty:
                break
        progress(written, due)
    # What the processes said last may still be on its way.
    written = sum(task.result() for task in tasks)
    progress(written, due)
    return written


# -- in the processes --------------------------------------------------------------

_process: dict[str, Any] = {}


def _begin(dsn: str, told: Any) -> None:
    # What is lost with the server is written again: nobody waits for the disk.
    _process["connection"] = ColdConnection(dsn, "mtd backfill", durable=False)
    _process["told"] = told


def _fill_device(plan: DevicePlan, filling: Filling, kept: frozenset[int]) -> int:
    return _write(_process["connection"], plan, filling, kept, _process["told"].put)


def _write(
    connection: ColdConnection, plan: DevicePlan, filling: Filling, kept: frozenset[int], wrote: Wrote
) -> int:
    tenants = dict(connection.fetch("SELECT tenant_id::text, name FROM mtd.tenant"))
    classes = RetentionClasses(filling.retention, tenants)
    writer = HistoryWriter(connection, plan, classes, dense=filling.dense)
    history = DeviceHistory(plan, filling.first_hour, filling.seed)
    return writer.write(history, filling.first_hour, filling.hours, kept, wrote)
