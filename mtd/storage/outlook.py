"""What follows from the state of the storage and the configuration: its size to come, and what is done next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mtd.storage.cold.status import StorageStatus, Stored
from mtd.storage.partitioned import (
    DAY_US,
    HOUR_US,
    ROLLUPS,
    STANDARD,
    TABLES,
    TELEMETRY_AXIS,
    TELEMETRY_BLOCK,
    TELEMETRY_FRAME,
    Period,
)
from mtd.storage.retention import Retention

LEAST_POINTS = 1_000_000
"""Fewer tell more of half empty pages than of points."""
PROJECTED_DAYS = 90
# An hour fills while the one before is compacted.
_HOT_HOURS = 2.0
_OUTPACED = 3.0
VALUES_OF_A_BUCKET = {"gauge": 5, "counter": 7}
"""Count, minimum, maximum, mean, p95; of counters growth and last value as well."""


@dataclass(slots=True)
class Projection:
    """Sizes in bytes, from what the last day's points and all stored points took.

    ``after_days``: by kind, with everything that comes in at this pace for 90
    days. ``steady``: once all retentions are full. None of a kind: nothing tells it.
    """

    points_per_day: int
    days: int
    points: int
    cold: str  # the kind that closed hours are, as it goes on: readable or dense
    bytes_per_point: float
    after_days: dict[str, int] = field(default_factory=dict)
    steady: dict[str, int] = field(default_factory=dict)
    outpaced: bool = False  # frames hold far more than this pace: the past isn't what comes in now
    if_dense_bytes: int | None = None  # of after_days' blocks, where dense points are there to tell
    if_readable_bytes: int | None = None

    @property
    def after_days_bytes(self) -> int:
        """All of ``after_days``."""
        return sum(self.after_days.values())

    @property
    def steady_bytes(self) -> int:
        """All of ``steady``."""
        return sum(self.steady.values())


@dataclass(frozen=True, slots=True)
class Action:
    """Something that will be done, or should have been. ``at_us`` 0: as soon as possible."""

    what: str
    at_us: int
    overdue: bool = False


def project(status: StorageStatus, retention: Retention, *, dense: bool = False) -> Projection | None:
    """Return the size to come; None while there are too few points of closed hours to tell.

    ``dense``: closed hours become dense, sooner or later; that counts where dense points are there.
    """
    blocks = [one for one in status.stored if one.kind in ("readable", "dense")]
    points = sum(one.points for one in blocks)
    if points < LEAST_POINTS or not status.day_hours:
        return None
    costs = {kind: _cost(blocks, kind, status.axis_bytes / points) for kind in ("readable", "dense")}
    cold = "dense" if (dense and costs["dense"]) or not costs["readable"] else "readable"
    per_day = {
        name: sum(one.day_points for one in blocks if one.retention == name) * 24 / status.day_hours
        for name in {one.retention for one in blocks}
    }
    daily = sum(per_day.values())
    cost = costs[cold] or 0.0
    found = Projection(round(daily), PROJECTED_DAYS, round(daily * PROJECTED_DAYS), cold, cost)
    hot = next((one.bytes_per_point for one in status.stored if one.kind == "hot" and one.points), None)
    found.after_days["hot"] = found.steady["hot"] = round(daily / 24 * _HOT_HOURS * (hot or 0.0))
    hot_points = sum(one.points for one in status.stored if one.kind == "hot")
    found.outpaced = hot_points > _OUTPACED * daily / 24 * _HOT_HOURS
    found.after_days[cold] = round(daily * PROJECTED_DAYS * cost)
    found.steady[cold] = round(
        sum(per_day[name] * retention.days(TELEMETRY_BLOCK, name) * cost for name in per_day)
    )
    for table in ROLLUPS.values():
        for one in status.stored:
            if one.kind == table.name and one.bytes_per_point is not None:
                bytes_a_day = one.day_points * 24 / status.day_hours * one.bytes_per_point
                _add(found.after_days, table.name, bytes_a_day * PROJECTED_DAYS)
                _add(found.steady, table.name, bytes_a_day * retention.days(table, one.retention))
    if costs["dense"]:
        found.if_dense_bytes = round(daily * PROJECTED_DAYS * costs["dense"])
    if costs["readable"]:
        found.if_readable_bytes = round(daily * PROJECTED_DAYS * costs["readable"])
    return found


def next_actions(
    status: StorageStatus, retention: Retention, now_us: int, late_us: int, describe: Callable[[int], str]
) -> list[Action]:
    """Return what is done next, or overdue, the latter first. ``describe`` puts a time in words."""
    found = [
        *_compaction(status, now_us, late_us, describe),
        *_drops(status, retention, now_us),
        *_made(status, now_us),
    ]
    return sorted(found, key=lambda action: (not action.overdue, action.at_us))


def _compaction(
    status: StorageStatus, now_us: int, late_us: int, describe: Callable[[int], str]
) -> Iterable[Action]:
    waiting = status.waiting
    if waiting.hours:
        late = now_us - (waiting.oldest_us + HOUR_US) > late_us
        hours = f"{waiting.hours} closed hours" if waiting.hours > 1 else "a closed hour"
        yield Action(f"compact {hours}, the oldest of {describe(waiting.oldest_us)}", 0, late)
    if waiting.emptied:
        yield Action(f"drop {waiting.emptied} emptied partitions of frames", 0)


def _drops(status: StorageStatus, retention: Retention, now_us: int) -> Iterable[Action]:
    window = retention.next_window()
    when = "" if window == "any time" else f" ({window} local time)"
    for table in TABLES:
        for (name, of_class), bounds in status.bounds.items():
            if name != table.name or not bounds or table is TELEMETRY_FRAME:
                continue
            oldest_us = retention.oldest_us(table, now_us, of_class)
            past = [one for one in bounds if one.end_us <= oldest_us]
            if past:
                yield Action(
                    f"drop {past[0].name}" + (f" and {len(past) - 1} more" if len(past) > 1 else "") + when,
                    0,
                    overdue=past[0].end_us <= oldest_us - 2 * DAY_US,
                )
            else:
                kept_us = now_us - now_us % DAY_US - oldest_us
                yield Action(f"drop {bounds[0].name}{when}", bounds[0].end_us + kept_us)


def _made(status: StorageStatus, now_us: int) -> Iterable[Action]:
    """What was made ahead ends somewhere: the next is made when it is needed no earlier than that."""
    for table in (TELEMETRY_FRAME, TELEMETRY_BLOCK, TELEMETRY_AXIS, *ROLLUPS.values()):
        bounds = status.bounds.get((table.name, STANDARD), [])
        end_us = bounds[-1].end_us if bounds else 0
        scarce_us = 2 * HOUR_US if table.period is Period.HOUR else DAY_US
        if end_us < now_us + scarce_us:
            yield Action(f"make partitions of {table.name}: there is hardly any ahead", 0, overdue=True)
        elif table in (TELEMETRY_FRAME, TELEMETRY_BLOCK):
            # The round that finds the furthest one missing makes it.
            length = HOUR_US if table.period is Period.HOUR else DAY_US
            yield Action(f"make {table.partition(end_us)}", now_us - now_us % length + length)


def _cost(blocks: Iterable[Stored], kind: str, axis: float) -> float | None:
    size = points = 0
    for one in blocks:
        if one.kind == kind:
            size, points = size + one.bytes, points + one.points
    return size / points + axis if points >= LEAST_POINTS else None


def _add(sizes: dict[str, int], name: str, size: float) -> None:
    sizes[name] = sizes.get(name, 0) + round(size)
