"""Clocks that are off: of collectors, of programs that send, of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mtd.model.device import Severity
from mtd.model.observation import StateChange

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder
    from mtd.storage.stores.service_levels import Skew

SKEWED, RIGHT = "collector.clock.skewed", "collector.clock.right"
CLOCK = "database"
_GRAVE_S = 60.0
_HYSTERESIS = 0.5


class Skews:
    """Tells once when a clock is off by more than ``over_s``, and once when it is back at half of it."""

    def __init__(self, recorder: Recorder, over_s: float) -> None:
        self._recorder = recorder
        self._over_s = over_s
        self._off: set[str] = set()

    def tell(self, skews: Iterable[Skew]) -> None:
        """Tell of those that changed."""
        for one in skews:
            change = clock_change("collector", one.agent, one.source, one.ahead_s, skewed=one.skewed)
            self._recorder.record_event_of(one.tenant_id, change)

    def look_at(self, what: str, ahead_s: float) -> None:
        """Look at a clock that this process sees by itself."""
        was_off = what in self._off
        off = abs(ahead_s) > self._over_s * (_HYSTERESIS if was_off else 1.0)
        if off == was_off:
            return
        (self._off.add if off else self._off.discard)(what)
        self._recorder.record_event(clock_change(what, what, what, ahead_s, skewed=off))


def ahead_of(told_us: int, asked_us: int, answered_us: int) -> float:
    """Return by how many seconds a clock is ahead, at least: it told the time at some moment between two of ours."""
    return (max(0, told_us - answered_us) + min(0, told_us - asked_us)) / 1e6


def clock_change(kind: str, name: str, entity_id: str, ahead_s: float, *, skewed: bool) -> StateChange:
    """Return that a clock went wrong, or is right again."""
    side = "ahead of" if ahead_s > 0 else "behind"
    if skewed:
        text = (
            f"the clock of {name} is {abs(ahead_s):.1f} s {side} the hub's: what it observes is dated wrong until"
            " NTP sets it right"
        )
    else:
        text = f"the clock of {name} is right again, {abs(ahead_s):.1f} s {side} the hub's"
    grave = Severity.CRITICAL if abs(ahead_s) >= _GRAVE_S else Severity.WARNING
    return StateChange(
        event_type=SKEWED if skewed else RIGHT,
        severity=grave if skewed else Severity.INFO,
        entity_type=kind,
        entity_id=entity_id,
        entity_label=name,
        field="clock",
        old="",
        new=f"{ahead_s:.3f}",
        message=text,
    )
