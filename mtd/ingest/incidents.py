"""Outages of the log and losses of events: reported loudly, and recorded once the log is back."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from mtd.ingest import metrics
from mtd.model.device import Severity
from mtd.model.observation import StateChange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mtd.core.clock import Clock
    from mtd.ingest.buffer import Entry

logger = logging.getLogger(__name__)


class Incidents:
    """Keeps account of what went wrong on the way to the log.

    ``record`` takes a state change of the collector and the time it happened,
    microseconds since the epoch.
    """

    def __init__(
        self,
        collector_id: str,
        clock: Clock,
        report_interval_s: float,
        record: Callable[[StateChange, int], None],
    ) -> None:
        self._collector_id = collector_id
        self._clock = clock
        self._interval_s = report_interval_s
        self._record = record
        self._outage_began: float | None = None
        self._outage_began_us = 0
        self._outage_counted_to = 0.0
        self._outage_reason = ""
        self._next_outage_line = 0.0
        self._lost: Counter[str] = Counter()
        self._lost_since_us = 0
        self._next_loss_report = 0.0

    @property
    def outage(self) -> bool:
        """Whether the last attempt to append failed."""
        return self._outage_began is not None

    def append_failed(self, error: Exception, held_events: int) -> None:
        """Note that the log refused to take a batch now."""
        metrics.APPEND_FAILURES.inc()
        self.append_hindered(str(error), held_events)

    def append_hindered(self, reason: str, held_events: int) -> None:
        """Note that the log takes nothing now: it refused, or doesn't answer."""
        now = self._clock.monotonic()
        if self._outage_began is None:
            self._outage_began = self._outage_counted_to = now
            self._outage_began_us = self._clock.now_us()
            self._next_outage_line = now
        self._count_outage(now)
        self._outage_reason = reason
        if now >= self._next_outage_line:
            self._next_outage_line = now + self._interval_s
            logger.error(
                "events can't be appended to the log for %.0f s; %d are held in memory: %s",
                now - self._outage_began,
                held_events,
                reason,
            )

    def append_succeeded(self) -> None:
        """Note that the log takes events, and record what happened meanwhile."""
        if self._outage_began is not None:
            self._end_outage(self._outage_began)
        if self._lost and self._clock.monotonic() >= self._next_loss_report:
            self._report_losses()

    def _end_outage(self, began: float) -> None:
        now = self._clock.monotonic()
        self._count_outage(now)
        self._outage_began = None
        lasted = f"for {now - began:.1f} s"
        logger.warning("events can be appended to the log again; they could not %s", lasted)
        began_us = self._outage_began_us
        reason = self._outage_reason
        self._record(self._change("log", "unavailable", Severity.CRITICAL, "available", reason), began_us)
        self._record(
            self._change(
                "log", "available", Severity.INFO, "unavailable", f"the log was unavailable {lasted}"
            ),
            self._clock.now_us(),
        )
        # What was lost meanwhile belongs to the same story.
        self._next_loss_report = now

    def _count_outage(self, now: float) -> None:
        metrics.LOG_UNAVAILABLE_SECONDS.inc(now - self._outage_counted_to)
        self._outage_counted_to = now

    def lost(self, entries: Sequence[Entry], reason: str) -> None:
        """Count events that will never reach the log."""
        if not entries:
            return
        if not self._lost:
            self._lost_since_us = self._clock.now_us()
            logger.error("events are lost on the way to the log: %s", reason)
        for entry in entries:
            name = entry.urgency.name.lower()
            metrics.DROPPED_EVENTS.labels(urgency=name, reason=reason).inc(len(entry.envelopes))
            self._lost[name] += len(entry.envelopes)

    def _report_losses(self) -> None:
        self._next_loss_report = self._clock.monotonic() + self._interval_s
        lost, self._lost = self._lost, Counter()
        by_urgency = ", ".join(f"{name} {count}" for name, count in sorted(lost.items()))
        text = f"{lost.total()} events were lost on the way to the log ({by_urgency})"
        logger.error("%s", text)
        self._record(
            self._change("ingest", "dropped", Severity.CRITICAL, "", text, new=str(lost.total())),
            self._lost_since_us,
        )

    def _change(
        self, part: str, happened: str, severity: Severity, old: str, message: str, *, new: str = ""
    ) -> StateChange:
        return StateChange(
            event_type=f"collector.{part}.{happened}",
            severity=severity,
            entity_type="collector",
            entity_id=self._collector_id,
            entity_label=self._collector_id,
            field=part,
            old=old,
            new=new or happened,
            message=message,
        )
