"""Wrong passwords: after some of them the next has to wait, twice as long each time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from mtd.api.login import metrics
from mtd.core.clock import Clock

MOST_KEYS = 10_000
_FORGIVEN_AFTER = 4.0
"""Failures are forgotten after so many of the longest waits."""


@dataclass(slots=True)
class _Failures:
    count: int
    until: float  # monotonic: no attempt before
    at: float
    told: bool = False


class Throttle:
    """Counts failures by key: a user, an address. Bound: 10,000 keys; policy: those that failed longest ago leave."""

    def __init__(self, free: int, first_wait_s: float, longest_wait_s: float, clock: Clock) -> None:
        self._free = free
        self._first_s = first_wait_s
        self._longest_s = longest_wait_s
        self._clock = clock
        self._failed: OrderedDict[str, _Failures] = OrderedDict()

    def wait_s(self, *keys: str) -> float:
        """Return how long an attempt with these keys has to wait; 0 if it needn't."""
        now = self._clock.monotonic()
        found = (self._of(key, now) for key in keys)
        return max((0.0, *(one.until - now for one in found if one is not None)))

    def is_first_refusal(self, *keys: str) -> bool:
        """Return whether nobody was refused before in this wait. Asked once for each refusal."""
        waiting = [one for key in keys if (one := self._failed.get(key)) is not None]
        first = not any(one.told for one in waiting)
        for one in waiting:
            one.told = True
        return first

    def begin(self, *keys: str) -> None:
        """Count an attempt as failed as long as it isn't known: many at once are as many."""
        now = self._clock.monotonic()
        for key in keys:
            one = self._of(key, now)
            count = 1 if one is None else one.count + 1
            over = count - self._free
            wait_s = 0.0 if over < 0 else min(self._longest_s, self._first_s * 2.0 ** min(over, 60))
            self._failed[key] = _Failures(count, now + wait_s, now)
            self._failed.move_to_end(key)
        while len(self._failed) > MOST_KEYS:
            self._failed.popitem(last=False)
            metrics.FORGOTTEN.inc()

    def succeeded(self, user: str, peer: str) -> None:
        """Forget what failed of a user, and this one attempt of its address: others may guess from there, too."""
        self._failed.pop(user, None)
        self.take_back(peer)

    def take_back(self, *keys: str) -> None:
        """Forget an attempt that told nothing."""
        for key in keys:
            one = self._failed.get(key)
            if one is None:
                continue
            one.count -= 1
            one.until = self._clock.monotonic()  # it waited for what failed before
            if one.count <= 0:
                del self._failed[key]

    def _of(self, key: str, now: float) -> _Failures | None:
        one = self._failed.get(key)
        if one is not None and now - one.at > _FORGIVEN_AFTER * self._longest_s:
            del self._failed[key]
            return None
        return one
