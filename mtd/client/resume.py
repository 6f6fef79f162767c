"""When to try a broken stream again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mtd.client.errors import MtdClientError

FIRST_DELAY_S = 0.1
CAP_S = 10.0


@dataclass(slots=True)
class Resume:
    """Waits longer after each failure, with jitter, so that a restarted daemon isn't run down.

    Gives up after ``give_up_after_s`` seconds without any answer; None: never.
    """

    give_up_after_s: float | None = None
    clock: Callable[[], float] = time.monotonic
    _failures: int = 0
    _since: float | None = field(default=None)

    def succeeded(self) -> None:
        """The stream gave something."""
        self._failures = 0
        self._since = None

    def delay_after(self, error: MtdClientError, *, others: int = 0) -> float:
        """Return how many seconds to wait before the next attempt, or raise the error.

        ``others``: how many other hubs are called next, each at once.
        """
        now = self.clock()
        if self._since is None:
            self._since = now
        limit = self.give_up_after_s
        if not error.is_retryable or (limit is not None and now - self._since >= limit):
            raise error
        # Sooner than the daemon says would be in vain.
        delay = max(min(CAP_S, FIRST_DELAY_S * 2.0 ** min(self._failures, 16)), 2.0 * error.retry_after_s)
        self._failures += 1
        if error.code == "UNAVAILABLE" and self._failures % (others + 1):
            return 0.0
        if limit is not None:
            # The last attempt is made when the time is up, not long after.
            delay = min(delay, self._since + limit - now)
        # Between half and all of it.
        return delay * (1.0 - 0.5 * random.random())  # noqa: S311 - spreads load, no secret
