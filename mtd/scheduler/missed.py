"""Polls that were due while a device had no session. Pure: time is passed in."""

from __future__ import annotations

from collections.abc import Mapping

from mtd.model.metric import Tier


class MissedPolls:
    """Counts due times without a session, by tier, each once."""

    def __init__(self, intervals_s: Mapping[Tier, float]) -> None:
        self._intervals_s = dict(intervals_s)
        # Monotonic time up to which each tier is accounted for; None while there is a session.
        self._accounted: dict[Tier, float] | None = None

    def went_down(self, now: float) -> None:
        """From now on there is no session."""
        if self._accounted is None:
            self._accounted = dict.fromkeys(self._intervals_s, now)

    def advance(self, now: float) -> dict[Tier, int]:
        """Return how many polls were missed since the last call, by tier."""
        if self._accounted is None:
            return {}
        missed = {}
        for tier, interval_s in self._intervals_s.items():
            count = int((now - self._accounted[tier]) / interval_s)
            if count:
                missed[tier] = count
                self._accounted[tier] += count * interval_s
        return missed

    def came_up(self, now: float) -> dict[Tier, int]:
        """There is a session again; return what was missed since the last call."""
        missed = self.advance(now)
        self._accounted = None
        return missed
