"""Reasons not to poll: the router's CPU, and pressure behind us. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from mtd.model.metric import Tier

if TYPE_CHECKING:
    from mtd.ingest.recorder import Recorder

# Lower tiers give way first; T0 only when there is nothing else left to give.
PRESSURE_LIMIT: Mapping[Tier, float] = MappingProxyType(
    {Tier.T3: 0.5, Tier.T2: 0.65, Tier.T1: 0.8, Tier.T0: 0.95}
)


def pace_by_buffer(recorder: Recorder) -> Callable[[Tier], int]:
    """Return what tells whether a tier is polled (1) or not (0), by the recorder's buffer alone."""
    return lambda tier: 0 if recorder.pressure >= PRESSURE_LIMIT[tier] else 1


class CpuGuard:
    """Stops the tiers below T0 while a router is busy (DESIGN law 8).

    It acts when the load was at or over ``limit_pct`` for ``polls`` polls in a
    row, and lets go when it was under ``release_pct`` for as many.
    """

    def __init__(self, limit_pct: float, release_pct: float, polls: int) -> None:
        self._limit_pct = limit_pct
        self._release_pct = release_pct
        self._polls = polls
        self._run = 0
        self.active = False

    def update(self, load_pct: float) -> bool:
        """Take one CPU load; return whether the guard changed its mind. NaN is ignored."""
        if load_pct != load_pct:
            return False
        contrary = load_pct < self._release_pct if self.active else load_pct >= self._limit_pct
        self._run = self._run + 1 if contrary else 0
        if self._run < self._polls:
            return False
        self._run = 0
        self.active = not self.active
        return True
