"""Polls of one device that somebody wants now: they wake its tiers, which poll as they always do.

A tier polls in its own turn and with its own guards: nothing is asked of the router that it could not be
asked at a regular time, and never twice at once. Who asks while others wait is answered with them.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mtd.model.device import Outcome
from mtd.model.metric import Tier
from mtd.model.polled import PolledTier, PollResult
from mtd.scheduler import metrics
from mtd.scheduler.errors import PollTooSoon
from mtd.sources.errors import SessionFailed

if TYPE_CHECKING:
    from mtd.core.breaker import Breaker
    from mtd.core.clock import Clock

AGAIN_AFTER_S = 5.0
"""From the beginning of one round on, another is refused."""
_WAIT_S = 20.0
# The next regular poll is near: it is waited for.
_NEAR_S = 1.0
# What is younger than this share of the interval is as good as new: long tables aren't read again at each press of a button.
_FRESH_SHARE = 0.1

WHY_SKIPPED = {
    "lease_over": "another collector may poll it at this moment",
    "pressure": "mtd can't write down what it polls fast enough, and polls less",
    "cpu_guard": "the router's CPU load is high: only live values are read",
    "resting": "it was not answered while live polls were, and rests",
}
"""Reasons to skip a poll, for people."""


class _Round:
    """Who waits for the same tiers. ``results``: what came of those that are done."""

    def __init__(self, tiers: frozenset[Tier], now: float) -> None:
        self.tiers = tiers
        self.began = now
        self.results: dict[Tier, PolledTier] = {}
        self.failure: SessionFailed | None = None
        self.ended = asyncio.Event()

    def take(self, polled: PolledTier) -> None:
        """Take what came of a tier, once."""
        if polled.tier in self.tiers:
            self.results.setdefault(polled.tier, polled)
        if len(self.results) == len(self.tiers):
            self.ended.set()


class OnDemand:
    """Wakes the tiers of one device, and tells what came of it."""

    def __init__(self, name: str, clock: Clock, intervals_s: Mapping[Tier, float]) -> None:
        self._name = name
        self._clock = clock
        self._intervals_s = intervals_s
        self._sleeping: dict[Tier, tuple[asyncio.Future[bool], float]] = {}
        self._polled_at: dict[Tier, float] = {}
        self._round: _Round | None = None
        self._again_at = -math.inf

    # -- for the loop -----------------------------------------------------------

    async def sleep(self, tier: Tier, until: float) -> bool:
        """Wait until a tier is due, on the monotonic clock; return whether it was woken before."""
        delay = until - self._clock.monotonic()
        if delay <= 0:
            return False
        # As asyncio.sleep does it, some thousand times a second, with somebody who knows the sleeper.
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(delay, _wake, sleeper, False)
        self._sleeping[tier] = (sleeper, until)
        try:
            return await sleeper
        finally:
            timer.cancel()
            del self._sleeping[tier]

    def polled(self, tier: Tier, now: float, commands: int = 0, seconds: float = 0.0) -> None:
        """Take note of a poll whose commands were answered within some seconds."""
        self._polled_at[tier] = now
        if self._round is not None:
            self._round.take(PolledTier(tier, PollResult.POLLED, "", commands, round(seconds * 1e6)))

    def skipped(self, tier: Tier, reason: str) -> None:
        """Take note of a poll that was due and not made."""
        if self._round is not None:
            self._round.take(PolledTier(tier, PollResult.SKIPPED, WHY_SKIPPED.get(reason, reason)))

    def session_ended(self, failure: SessionFailed | None) -> None:
        """Tell those who wait that nothing more comes. ``failure``: None if the device isn't polled any more."""
        self._polled_at.clear()
        waited_for, self._round = self._round, None
        if waited_for is not None:
            waited_for.failure = failure or SessionFailed(
                Outcome.BUSY, "the session ended before the poll did"
            )
            waited_for.ended.set()

    # -- for callers ------------------------------------------------------------

    async def poll(self, tiers: frozenset[Tier]) -> list[PolledTier]:
        """Poll tiers now; return what came of each, in their order, after some seconds at most.

        Raises PollTooSoon, and SessionFailed if the session ends before they are polled.
        """
        now = self._clock.monotonic()
        waited_for = self._under_way(now)
        if waited_for is not None and tiers <= waited_for.tiers:
            metrics.POLLS_ON_DEMAND.labels(result="joined").inc()
        else:
            waited_for = self._begin(tiers, now)
        try:
            async with asyncio.timeout(waited_for.began + _WAIT_S - now):
                await waited_for.ended.wait()
        except TimeoutError:
            metrics.POLLS_ON_DEMAND.labels(result="unfinished").inc()
        if waited_for.failure is not None:
            raise waited_for.failure
        return [waited_for.results.get(tier) or _unfinished(tier) for tier in sorted(tiers)]

    def _under_way(self, now: float) -> _Round | None:
        """Return the round that is waited for, if there is one."""
        last = self._round
        is_over = last is None or last.ended.is_set() or now >= last.began + _WAIT_S
        return None if is_over else last

    def _begin(self, tiers: frozenset[Tier], now: float) -> _Round:
        left_s = self._again_at - now
        if left_s > 0:
            metrics.POLLS_ON_DEMAND.labels(result="too_soon").inc()
            raise PollTooSoon(
                f"{self._name} was asked to be polled now a moment ago",
                retry_after_s=math.ceil(left_s),
                hint=f"ask again in {math.ceil(left_s)} s; the newest values are there without asking",
            )
        metrics.POLLS_ON_DEMAND.labels(result="begun").inc()
        self._again_at = now + AGAIN_AFTER_S
        self._round = begun = _Round(tiers, now)
        for tier in sorted(tiers):
            self._hurry(begun, tier, now)
        return begun

    def _hurry(self, begun: _Round, tier: Tier, now: float) -> None:
        """Wake a tier that sleeps. One that is awake polls already, or waits for its turn."""
        sleeper, until = self._sleeping.get(tier, (None, now))
        if sleeper is None or until - now <= _NEAR_S:
            return
        age_s = now - self._polled_at.get(tier, -math.inf)
        if age_s < max(_NEAR_S, _FRESH_SHARE * self._intervals_s[tier]):
            begun.take(PolledTier(tier, PollResult.FRESH, f"it was polled {age_s:.0f} s before"))
        else:
            _wake(sleeper, True)


def no_session(
    name: str, failed: SessionFailed | None, breaker: Breaker, now: float, next_try: float
) -> SessionFailed:
    """Return why a device without a session can't be polled, and when it is tried next.

    ``failed``: what ended the last session, or kept it from being opened. Times are monotonic.
    """
    metrics.POLLS_ON_DEMAND.labels(result="no_session").inc()
    if failed is None:
        return SessionFailed(Outcome.BUSY, f"{name} is being connected")
    wait_s = max(0, math.ceil(next_try - now))
    when = f"it is tried again in {wait_s} s" if wait_s else "it is being tried again"
    if breaker.wait_s(now) > 0:
        when = f"after {breaker.failures} failures in a row it is left alone for a while: {when}"
    return SessionFailed(
        failed.outcome, f"{name} has no session ({failed.reason}); {when}", retry_after_s=wait_s
    )


def _unfinished(tier: Tier) -> PolledTier:
    text = f"it wasn't polled within {_WAIT_S:g} s: it goes on"
    return PolledTier(tier, PollResult.UNFINISHED, text)


def _wake(sleeper: asyncio.Future[bool], early: bool) -> None:
    if not sleeper.done():
        sleeper.set_result(early)
