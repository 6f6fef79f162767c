"""Setting aside a collector that raises, on the device where it did."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from mtd.core.backoff import Backoff
from mtd.model.device import Severity
from mtd.model.observation import Observation, StateChange
from mtd.plugin import metrics
from mtd.plugin.config import PluginConfig

logger = logging.getLogger(__name__)

# Collectors whose traceback is in the log already, with the place that raised:
# thousands of routers may trip over one mistake.
_logged: set[tuple[str, str, int]] = set()
_MAX_LOGGED = 1_000


@dataclass(slots=True)
class _Rest:
    backoff: Backoff
    until: float = 0.0
    resting: bool = False


@dataclass(slots=True)
class Quarantine:
    """Which collectors rest on one device, and until when (monotonic seconds)."""

    settings: PluginConfig
    _rests: dict[str, _Rest] = field(default_factory=dict)

    def resting(self, collector: str) -> bool:
        """Whether the collector rests."""
        rest = self._rests.get(collector)
        return rest is not None and rest.resting

    def enter(self, collector: str, menu: str, error: Exception, now: float, out: Observation) -> None:
        """Set a collector aside after it raised; the event goes to ``out``."""
        rest = self._rests.get(collector)
        if rest is None:
            settings = self.settings
            backoff = Backoff(settings.quarantine_first_s, settings.quarantine_cap_s, jitter=0.0)
            rest = self._rests[collector] = _Rest(backoff)
        delay = rest.backoff.next_delay()
        rest.until, rest.resting = now + delay, True
        metrics.QUARANTINED.labels(collector).inc()
        _log_once(collector, menu, error)
        reason = f"{type(error).__name__}: {error}"[:200]
        out.state_changes.append(
            _event(
                collector,
                "active",
                "resting",
                f"collector {collector} failed at {menu} ({reason}); it is tried again in {delay:.0f} s",
            )
        )

    def release(self, now: float) -> bool:
        """Let collectors whose time is over work again; return whether there were any."""
        released = False
        for rest in self._rests.values():
            if rest.resting and now >= rest.until:
                rest.resting = False
                released = True
        return released

    def worked(self, collector: str, out: Observation) -> None:
        """The collector mapped a poll without raising: forget its failures."""
        if self._rests.pop(collector, None) is not None:
            out.state_changes.append(
                _event(collector, "resting", "active", f"collector {collector} works again")
            )

    @property
    def empty(self) -> bool:
        """Whether no collector failed lately."""
        return not self._rests


def _event(collector: str, old: str, new: str, message: str) -> StateChange:
    failed = new == "resting"
    return StateChange(
        event_type="collector.quarantined" if failed else "collector.released",
        severity=Severity.WARNING if failed else Severity.INFO,
        entity_type="collector",
        entity_id=collector,
        entity_label=collector,
        field="state",
        old=old,
        new=new,
        message=message,
    )


def _log_once(collector: str, menu: str, error: Exception) -> None:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = (collector, trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else (collector, "", 0)
    if place in _logged or len(_logged) >= _MAX_LOGGED:
        return
    _logged.add(place)
    logger.error("collector %s failed at %s and rests on that device", collector, menu, exc_info=error)
