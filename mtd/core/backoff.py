"""Waiting longer after each failure, a little differently each time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(slots=True)
class Backoff:
    """Exponential back-off with a cap and jitter (S000-11.3).

    ``jitter`` is the share of the delay that is random, so that routers which
    failed together don't come back together.
    """

    first_s: float = 1.0
    cap_s: float = 30.0
    factor: float = 2.0
    jitter: float = 0.3
    failures: int = 0
    rng: random.Random = field(default_factory=random.Random)

    def next_delay(self) -> float:
        """Count one more failure and return how many seconds to wait."""
        # The exponent is bounded: 2.0 ** 1024 overflows after days of failure.
        delay = min(self.cap_s, self.first_s * self.factor ** min(self.failures, 32))
        self.failures += 1
        return delay * (1.0 - self.jitter * self.rng.random())

    def reset(self) -> None:
        """Forget the failures."""
        self.failures = 0
