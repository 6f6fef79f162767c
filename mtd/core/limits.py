"""Bounds: rates, and work in progress.

The metrics of gates carry the name as a label, so names are few and fixed.
"""

from __future__ import annotations

import asyncio
import weakref
from types import TracebackType

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.metrics import GATE_IN_PROGRESS, GATE_LIMIT, GATE_WAITING


class TokenBucket:
    """Permits ``rate_per_s`` on average, and ``burst`` at once. Doesn't wait itself."""

    def __init__(self, rate_per_s: float, burst: float, *, clock: Clock = SYSTEM_CLOCK) -> None:
        if rate_per_s <= 0 or burst <= 0:
            raise ValueError("rate and burst of a token bucket are above zero")
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled_at = clock.monotonic()

    def take(self, tokens: float = 1.0) -> bool:
        """Take tokens if they are there; otherwise take none and return False."""
        self._fill()
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True

    def wait_s(self, tokens: float = 1.0) -> float:
        """Return the seconds until ``take`` could succeed; infinity if more than ``burst`` is asked."""
        self._fill()
        if tokens > self._burst:
            return float("inf")
        return max(0.0, (tokens - self._tokens) / self._rate_per_s)

    def _fill(self) -> None:
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate_per_s)
        self._filled_at = now


_GATES: weakref.WeakSet[Gate] = weakref.WeakSet()


def gates() -> list[Gate]:
    """Return the gates that there are, by name."""
    return sorted(_GATES, key=lambda gate: gate.name)


class Gate:
    """Lets ``limit`` tasks into a piece of work at once, the others in the order they came.

    Used as ``async with gate:``.
    """

    def __init__(self, name: str, limit: int) -> None:
        if limit < 1:
            raise ValueError("a gate lets at least one through")
        self.name = name
        self.limit = limit
        self.in_progress = 0
        self.waiting = 0
        self._semaphore = asyncio.Semaphore(limit)
        self._in_progress_gauge = GATE_IN_PROGRESS.labels(gate=name)
        self._waiting_gauge = GATE_WAITING.labels(gate=name)
        GATE_LIMIT.labels(gate=name).set(limit)
        _GATES.add(self)

    async def __aenter__(self) -> Gate:
        self.waiting += 1
        self._measure()
        try:
            await self._semaphore.acquire()
            self.in_progress += 1
        finally:
            self.waiting -= 1
            self._measure()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.in_progress -= 1
        self._semaphore.release()
        self._measure()

    def _measure(self) -> None:
        self._in_progress_gauge.set(self.in_progress)
        self._waiting_gauge.set(self.waiting)
