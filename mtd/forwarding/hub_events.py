"""What is told when the hub is lost, and when it is back."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mtd.model.device import Severity
from mtd.model.observation import StateChange

if TYPE_CHECKING:
    from mtd.core.clock import Clock

LOST, BACK = "collector.hub.lost", "collector.hub.back"


class HubEvents:
    """Tells each once. A hub that is away for less than ``after_s`` isn't worth an event."""

    def __init__(
        self, collector: str, after_s: float, tell: Callable[[StateChange], None], clock: Clock
    ) -> None:
        self._collector = collector
        self._after_s = after_s
        self._tell = tell
        self._clock = clock
        self._away_since: float | None = None
        self._told = False

    def begin(self) -> None:
        """No hub was reached yet."""
        self._away_since = self._clock.monotonic()

    def lost(self, why: str, waiting: int) -> None:
        """The hub isn't reached: say so, if that lasts."""
        now = self._clock.monotonic()
        if self._away_since is None:
            self._away_since = now
        if self._told or now - self._away_since < self._after_s:
            return
        self._told = True
        text = f"the hub takes nothing: {why}. Polling goes on; {waiting:,} events wait to be sent"
        self._tell(self._event(LOST, Severity.WARNING, "connected", "lost", text))

    def back(self, hub: str, waiting: int) -> None:
        """A hub takes events."""
        away_s = 0.0 if self._away_since is None else self._clock.monotonic() - self._away_since
        told, self._told, self._away_since = self._told, False, None
        if not told:
            return
        text = f"the hub {hub} takes events again, after {away_s:.0f} s; {waiting:,} wait to be sent"
        self._tell(self._event(BACK, Severity.INFO, "lost", "connected", text))

    def _event(self, event_type: str, severity: Severity, old: str, new: str, message: str) -> StateChange:
        return StateChange(
            event_type=event_type,
            severity=severity,
            entity_type="collector",
            entity_id=self._collector,
            entity_label=self._collector,
            field="hub",
            old=old,
            new=new,
            message=message,
        )
