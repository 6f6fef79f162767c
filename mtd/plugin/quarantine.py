"""Setting aside a menu whose collector raises, on the device where it did."""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass, field

from mtd.core.backoff import Backoff
from mtd.model.device import Severity
from mtd.model.observation import Observation, StateChange
from mtd.plugin import metrics
from mtd.plugin.config import PluginConfig
from mtd.plugin.plan import AnyMenu

logger = logging.getLogger(__name__)

# Menus whose traceback is in the log already, with the place that raised:
# thousands of routers may trip over one mistake.
_logged: set[tuple[str, str, str, int]] = set()
_MAX_LOGGED = 1_000


@dataclass(slots=True)
class _Rest:
    backoff: Backoff
    until: float = 0.0
    resting: bool = False


@dataclass(slots=True)
class Quarantine:
    """Which menus rest on one device, and until when (monotonic seconds).

    A menu rests, not its collector: a mistake in one that is read each minute
    must not cost the values of one that is read each second.
    """

    settings: PluginConfig
    _rests: dict[tuple[str, str], _Rest] = field(default_factory=dict)

    def resting(self, mapped: AnyMenu) -> bool:
        """Whether the menu rests."""
        rest = self._rests.get(_name(mapped))
        return rest is not None and rest.resting

    def enter(self, mapped: AnyMenu, error: Exception, now: float, out: Observation) -> None:
        """Set a menu aside after its collector raised; the event goes to ``out``."""
        rest = self._rests.get(_name(mapped))
        if rest is None:
            settings = self.settings
            backoff = Backoff(settings.quarantine_first_s, settings.quarantine_cap_s, jitter=0.0)
            rest = self._rests[_name(mapped)] = _Rest(backoff)
        delay = rest.backoff.next_delay()
        rest.until, rest.resting = now + delay, True
        metrics.QUARANTINED.labels(mapped.collector).inc()
        _log_once(mapped, error)
        reason = f"{type(error).__name__}: {_text(mapped, error)}"[:200]
        name = ".".join(_name(mapped))
        text = f"collector menu {name} failed ({reason}); it is tried again in {delay:.0f} s"
        out.state_changes.append(_event(mapped, "active", "resting", text))

    def release(self, now: float) -> bool:
        """Let menus whose time is over be read again; return whether there were any."""
        released = False
        for rest in self._rests.values():
            if rest.resting and now >= rest.until:
                rest.resting = False
                released = True
        return released

    def worked(self, mapped: AnyMenu, out: Observation) -> None:
        """The menu was mapped without raising: forget its failures."""
        if self._rests.pop(_name(mapped), None) is not None:
            text = f"collector menu {'.'.join(_name(mapped))} works again"
            out.state_changes.append(_event(mapped, "resting", "active", text))

    @property
    def empty(self) -> bool:
        """Whether no menu failed lately."""
        return not self._rests


def _name(mapped: AnyMenu) -> tuple[str, str]:
    return mapped.collector, mapped.menu.name


def _event(mapped: AnyMenu, old: str, new: str, message: str) -> StateChange:
    failed = new == "resting"
    return StateChange(
        event_type="collector.quarantined" if failed else "collector.released",
        severity=Severity.WARNING if failed else Severity.INFO,
        entity_type="menu",
        entity_id=".".join(_name(mapped)),
        entity_label=mapped.menu.path,
        field="state",
        old=old,
        new=new,
        message=message,
    )


def _log_once(mapped: AnyMenu, error: Exception) -> None:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code, line = (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else ("", 0)
    place = (*_name(mapped), code, line)
    if place in _logged or len(_logged) >= _MAX_LOGGED:
        return
    _logged.add(place)
    name = ".".join(place[:2])
    if mapped.menu.private:
        frames = "".join(traceback.format_tb(error.__traceback__))
        logger.error("collector menu %s failed and rests on that device:\n%s%s", name, frames, type(error))
    else:
        logger.error("collector menu %s failed and rests on that device", name, exc_info=error)


def _text(mapped: AnyMenu, error: Exception) -> str:
    """Return what an exception says, unless that may be what a row said of a subscriber."""
    return "(not told: the menu has private fields)" if mapped.menu.private else str(error)
