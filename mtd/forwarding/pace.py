"""How fast the backfill may go."""

from __future__ import annotations

import asyncio

from mtd.core.clock import SYSTEM_CLOCK, Clock


class Pace:
    """So many units per second on average, a second's worth at once. Larger things are paid for afterwards."""

    def __init__(self, per_s: float, clock: Clock = SYSTEM_CLOCK) -> None:
        self._per_s = per_s
        self._clock = clock
        self._left = per_s
        self._filled_at = clock.monotonic()

    def wait_s(self) -> float:
        """Return the seconds until something may be taken; 0: now."""
        self._fill()
        return 0.0 if self._left > 0 else (1.0 - self._left) / self._per_s

    def take(self, amount: float) -> None:
        """Take."""
        self._fill()
        self._left -= amount

    def _fill(self) -> None:
        now = self._clock.monotonic()
        self._left = min(self._per_s, self._left + (now - self._filled_at) * self._per_s)
        self._filled_at = now


async def wait_for(*paces: Pace) -> None:
    """Wait until all allow something."""
    while (wait_s := max(pace.wait_s() for pace in paces)) > 0:  # noqa: ASYNC110 - time fills them
        await asyncio.sleep(wait_s)
