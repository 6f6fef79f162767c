"""What time it is at mtd: its machine's clock and this one's may differ, even by hours."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from mtd.client import MtdClientError

from .state import microseconds

TOLERATED_S = 2.0
# Of what took longer to come, nobody knows when it was true.
SLOW_S = 2.0


class Skew:
    """How far mtd's clock is ahead of this machine's, as mtd told last."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.ahead_s: float | None = None
        """None: mtd hasn't told yet."""
        self._clock = clock

    @property
    def s(self) -> float:
        """What to add to a time of this machine to have mtd's: nothing where they are as good as the same."""
        ahead_s = self.ahead_s or 0.0
        return ahead_s if abs(ahead_s) > TOLERATED_S else 0.0

    async def ask(self, client: Any, mtd_ids: Iterable[str]) -> None:
        """Ask mtd: how a device was over the last second ends now. One that mtd does not know tells nothing."""
        for mtd_id in mtd_ids:
            before = self._clock()
            try:
                health = await client.health(mtd_id, seconds=1)
            except MtdClientError as error:
                if error.code != "NOT_FOUND":
                    raise
                continue
            self.take(microseconds(health.end) / 1e6, before, self._clock())
            return

    def take(self, told: float, before: float, after: float) -> None:
        """Take what time mtd said it was, in an answer asked for and received at these times of ours."""
        if 0 <= after - before <= SLOW_S:
            self.ahead_s = told - (before + after) / 2
