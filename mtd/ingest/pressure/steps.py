"""Steps of pressure: when one begins and ends, and what it means for polling. Pure: time is passed in."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from mtd.model.metric import Tier


class Cause(enum.StrEnum):
    """What piles up."""

    BUFFER = "buffer"
    LOG = "log"
    DISK = "disk"
    BACKLOG = "backlog"


NO_ROOM = 5
"""The step above the four: nothing can be taken any more, and T0 waits as well."""

_EVERY: Sequence[Mapping[Tier, int]] = (
    {},
    # Every second poll leaves rates: there is none over a gap of more than three intervals.
    {Tier.T3: 4, Tier.T2: 2},
    {Tier.T3: 0, Tier.T2: 4, Tier.T1: 2},
    {Tier.T3: 0, Tier.T2: 0, Tier.T1: 4},
    {Tier.T3: 0, Tier.T2: 0, Tier.T1: 0},
    {Tier.T3: 0, Tier.T2: 0, Tier.T1: 0, Tier.T0: 0},
)


def interval_factors(step: int) -> Mapping[Tier, int]:
    """Return how many times as long the interval of each tier is at a step; 0: it isn't polled."""
    return MappingProxyType({tier: _EVERY[step].get(tier, 1) for tier in Tier})


def thinned(step: int) -> str:
    """Return in words what a step means for polling."""
    words = []
    for tier, factor in sorted(interval_factors(step).items()):
        if factor == 0:
            words.append(f"{tier.name} is not polled")
        elif factor > 1:
            words.append(f"{tier.name} is polled {factor} times less often")
    return ", ".join(words) or "all tiers are polled as usual"


class Stepper:
    """How far one cause has got. Up as soon as it lasts, down one step after the other once it is calm.

    ``thresholds`` rise; a step ends when the value is under ``release`` of its threshold.
    """

    def __init__(self, thresholds: Sequence[float], release: float, rise_s: float, calm_s: float) -> None:
        self._thresholds = thresholds
        self._release = release
        self._rise_s = rise_s
        self._calm_s = calm_s
        self._rising_since: float | None = None
        self._calm_since: float | None = None
        self.step = 0

    def update(self, value: float, now: float) -> bool:
        """Take a value; return whether the step changed."""
        before = self.step
        reached = sum(value >= threshold for threshold in self._thresholds)
        kept = sum(value >= threshold * self._release for threshold in self._thresholds)
        self._rising_since = _since(self._rising_since, now) if reached > before else None
        self._calm_since = _since(self._calm_since, now) if kept < before else None
        if self._rising_since is not None and now - self._rising_since >= self._rise_s:
            self.step = reached
            self._rising_since = None
        elif self._calm_since is not None and now - self._calm_since >= self._calm_s:
            self.step -= 1
            self._calm_since = now
        return self.step != before


def _since(since: float | None, now: float) -> float:
    return now if since is None else since
