"""How long to wait after failures."""

from __future__ import annotations

import random

FIRST_S = 0.25
CAP_S = 15.0


class Backoff:
    """Doubles after each failure up to a cap, with jitter, so that many don't come back at once."""

    def __init__(self) -> None:
        self._failures = 0

    def reset(self) -> None:
        """It went well."""
        self._failures = 0

    def next_s(self) -> float:
        """Return how long to wait after one more failure."""
        delay = min(CAP_S, FIRST_S * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return delay * (1.0 - 0.5 * random.random())  # noqa: S311 - spreads load, no secret
