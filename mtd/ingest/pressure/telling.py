"""Steps of pressure as events: what piles up, what that means, how long it can go on."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping

from mtd.ingest.pressure import metrics
from mtd.ingest.pressure.steps import Cause, thinned
from mtd.model.device import Severity
from mtd.model.observation import StateChange

logger = logging.getLogger(__name__)

# From the third of four steps on, somebody has to do something.
_CRITICAL_STEP = 3
_CRITICAL_LEVEL = 4
_MINUTE_S, _HOUR_S = 60.0, 3600.0

# Causes that somebody mends by making room: they have events of their own.
_ROOMS: Mapping[Cause, tuple[str, str, str]] = {
    Cause.LOG: ("log", "collector.log.filling", "collector.log.relieved"),
    Cause.DISK: ("disk", "collector.disk.low", "collector.disk.relieved"),
}


class Teller:
    """Writes events and lines of the process's log when something changed."""

    def __init__(self, collector_id: str, record: Callable[[StateChange], None]) -> None:
        self._collector_id = collector_id
        self._record = record
        self.reason = ""
        """Why there is pressure now; empty if there is none."""

    def tell(
        self,
        before: int,
        now: int,
        steps_before: Mapping[Cause, int],
        steps: Mapping[Cause, int],
        values: Mapping[Cause, float],
        spare_bytes: float,
        full_s: float,
    ) -> None:
        """Tell what changed since the look before."""
        worst = [cause for cause, step in steps.items() if step == now] if now else []
        causes = " and ".join(_words(cause, values[cause], spare_bytes) for cause in worst)
        self.reason = f"{causes}: {thinned(now)}{_forecast(full_s)}" if now else ""
        if now != before:
            self._tell_level(before, now)
        for cause, (field, rises, falls) in _ROOMS.items():
            words = _words(cause, values[cause], spare_bytes) + _forecast(full_s)
            self._tell_room(field, rises, falls, _grade(steps_before[cause]), _grade(steps[cause]), words)

    def _tell_level(self, before: int, now: int) -> None:
        up = now > before
        metrics.CHANGES.labels(direction="up" if up else "down").inc()
        severity = Severity.INFO
        if up:
            severity = Severity.CRITICAL if now >= _CRITICAL_LEVEL else Severity.WARNING
        text = self.reason or f"the pressure is over: {thinned(0)}"
        logger.log(logging.WARNING if up else logging.INFO, "pressure from %d to %d: %s", before, now, text)
        kind = "collector.pressure.raised" if up else "collector.pressure.eased"
        self._event(kind, severity, "pressure", str(before), str(now), text)

    def _tell_room(self, field: str, rises: str, falls: str, before: int, now: int, words: str) -> None:
        if now == before:
            return
        severity = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)[now]
        kind = rises if now else falls
        logger.log(logging.WARNING if now > before else logging.INFO, "%s: %s", kind, words)
        names = ("ok", "warning", "critical")
        self._event(kind, severity, field, names[before], names[now], words)

    def _event(self, kind: str, severity: Severity, field: str, old: str, new: str, message: str) -> None:
        self._record(
            StateChange(
                event_type=kind,
                severity=severity,
                entity_type="collector",
                entity_id=self._collector_id,
                entity_label=self._collector_id,
                field=field,
                old=old,
                new=new,
                message=message,
            )
        )


def _grade(step: int) -> int:
    """Return 0, 1 for a warning, 2 for what is critical."""
    return 0 if not step else 1 + (step >= _CRITICAL_STEP)


def _words(cause: Cause, value: float, spare_bytes: float) -> str:
    if cause is Cause.BUFFER:
        return f"the buffer in front of the log is {100 * value:.0f} % full"
    if cause is Cause.LOG:
        return f"{100 * value:.0f} % of the log's quota wait to be written or sent on"
    if cause is Cause.DISK:
        return f"{spare_bytes / 2**20:,.0f} MiB are left for the log on its disk"
    return f"what is polled waits for {lasting(value)} to be written or sent on"


def _forecast(full_s: float) -> str:
    return f"; there is room for {lasting(full_s)} at this pace" if math.isfinite(full_s) else ""


def lasting(seconds: float) -> str:
    """Return a time for people."""
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    return f"{seconds / _HOUR_S:.0f} h"
