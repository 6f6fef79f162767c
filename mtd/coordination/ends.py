"""When leases of others are over, by two clocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mtd.coordination.service import TAKER
from mtd.core.clock import LEASE_CLOCK, Clock
from mtd.model.assignment import LeaseState

_SLACK_S = 0.25  # the store's answer was under way for some time


class Seen(NamedTuple):
    """Names of leases that are over, and the seconds until another could be."""

    over: frozenset[str]
    next_s: float


class _End(NamedTuple):
    at: float
    was_good: bool


class Ends:
    """When leases end by this process's own clock, too.

    The store's clock may be set: that ends no lease early, of which its holder still believes that it is good. What is
    over by the store, and couldn't be yet by what was seen of it before, is taken for over when a whole lease has passed.
    So is everything after a time in which the store couldn't be asked: others couldn't renew then either. What the
    coordinator took and let go is over at once: who held it before knows by then that it lost it.
    """

    def __init__(self, lease_s: float, clock: Clock = LEASE_CLOCK) -> None:
        self._lease_s = lease_s
        self._clock = clock
        self._ends: dict[tuple[str, str, int], _End] = {}
        self._looked_at = clock.monotonic()

    def look(self, states: Sequence[LeaseState]) -> Seen:
        """Take note of all leases as they are now."""
        now = self._clock.monotonic()
        if now - self._looked_at > self._lease_s:
            self._ends = {}
        self._looked_at = now
        ends = {(state.name, state.holder, state.epoch): self._end(state, now) for state in states}
        self._ends = ends
        over = frozenset(key[0] for key, end in ends.items() if not end.was_good and end.at <= now)
        waits = [end.at - now for end in ends.values() if end.at > now]
        return Seen(over, min(waits, default=self._lease_s))

    def _end(self, state: LeaseState, now: float) -> _End:
        if state.left_s > 0:
            return _End(now + min(state.left_s, self._lease_s), was_good=True)
        if state.holder.startswith(f"{TAKER}/"):
            return _End(now, was_good=False)
        known = self._ends.get((state.name, state.holder, state.epoch))
        if known is None or (known.was_good and now < known.at - _SLACK_S):
            return _End(now + self._lease_s, was_good=False)
        return _End(min(known.at, now) if known.was_good else known.at, was_good=False)
