"""When something that hung while live polls were answered may be asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.core.backoff import Backoff

if TYPE_CHECKING:
    import random

# A tier, or the probe, that hung rests so long, then twice as long.
_FIRST_S = 60.0
_CAP_S = 3600.0


class Rest:
    """The rest of one thing that is asked: a tier, or the probe."""

    def __init__(self, rng: random.Random) -> None:
        self.until = 0.0
        self._backoff = Backoff(_FIRST_S, _CAP_S, rng=rng)

    def hung(self, now: float) -> None:
        """Rest from now on: it wasn't answered."""
        self.until = now + self._backoff.next_delay()

    def answered(self) -> None:
        """Be asked regularly again."""
        self._backoff.reset()
        self.until = 0.0
