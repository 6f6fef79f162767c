"""How much room the event log has, looked at from outside: for ``mtd log stats`` and ``mtd doctor``."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mtd.app.event_log import on_jetstream
from mtd.ingest.pressure.room import DiskLimits, held_bytes, log_fill

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.eventlog.interfaces import LogStats

OK, WARNING, CRITICAL = "ok", "warning", "critical"
# The steps, counted from 0, at which the daemon tells of it: see mtd.ingest.pressure.telling.
_STATES = ((2, CRITICAL), (0, WARNING))


@dataclass(frozen=True, slots=True)
class LogRoom:
    """``held_bytes`` of ``max_bytes`` wait for a reader; ``disk_spare_bytes`` may still be written, -1 if the disk isn't here."""

    held_bytes: int
    max_bytes: int
    fill_ratio: float
    quota_state: str
    disk_spare_bytes: int
    disk_state: str


def log_room(settings: Settings, stats: LogStats) -> LogRoom:
    """Return what room there is. Looks at the disk."""
    stats = replace(stats, max_bytes=settings.event_log.max_bytes)
    spare, shortness = -1.0, 0.0
    if not on_jetstream(settings):
        usage = shutil.disk_usage(settings.event_log_path.parent)
        stats = replace(stats, disk_free_bytes=usage.free, disk_size_bytes=usage.total)
        limits = DiskLimits(settings.event_log.min_free_bytes, settings.pressure.disk_low_bytes)
        spare, shortness = limits.spare_bytes(stats), limits.shortness(stats)
    fill = log_fill(stats)
    return LogRoom(
        round(held_bytes(stats)),
        stats.max_bytes,
        round(fill, 4),
        _state(fill, settings.pressure.log_fill),
        round(spare),
        _state(shortness, (1.0, 2.0, 4.0, 8.0)),
    )


def _state(value: float, steps: tuple[float, ...]) -> str:
    return next((state for step, state in _STATES if value >= steps[step]), OK)
