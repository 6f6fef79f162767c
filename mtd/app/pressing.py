"""Back-pressure in a process: made from what it has, and told to ``/readyz``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mtd.api.interfaces import ReadyCheck
from mtd.ingest.pressure.watch import Pressure, Surroundings

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.ingest.recorder import Recorder

# From here on nothing but live values is polled, and nothing that is sent is taken in.
_NOT_READY_AT = 4


def pressure_of(
    settings: Settings, log: Any, recorder: Recorder, backlog_s: Callable[[], float], collector_id: str
) -> Pressure:
    """Return what watches a log and who reads it. ``backlog_s``: how far PostgreSQL, or the hub, is behind."""
    around = Surroundings(
        buffer_fill=lambda: recorder.pressure,
        log_stats=log.stats,
        backlog_s=backlog_s,
        record=recorder.record_event,
    )
    return Pressure(
        settings.pressure, around, collector_id=collector_id, min_free_bytes=settings.event_log.min_free_bytes
    )


def ready_check(pressure: Pressure) -> ReadyCheck:
    """Return whether it takes what it is sent."""
    held = pressure.level >= _NOT_READY_AT
    return ReadyCheck("pressure", not held, pressure.reason if held else "")
