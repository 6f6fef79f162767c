"""A breaker: after failures in a row, leave a peer alone for a while, then try once."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class BreakerState(enum.StrEnum):
    """Whether a peer may be tried."""

    CLOSED = "closed"  # as often as one likes
    OPEN = "open"  # not now
    HALF_OPEN = "half_open"  # once


@dataclass(slots=True)
class Breaker:
    """A state machine without a clock: ``now`` is monotonic seconds, and never goes back.

    It opens at the ``threshold``-th failure in a row, for ``open_s`` seconds.
    Then one trial decides: success closes it, failure opens it again.
    """

    threshold: int = 5
    open_s: float = 30.0
    failures: int = 0
    _open_until: float | None = None
    _trying: bool = False

    def state(self, now: float) -> BreakerState:
        """Return the state at ``now``."""
        if self._open_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._open_until else BreakerState.HALF_OPEN

    def wait_s(self, now: float) -> float:
        """Return how many seconds are left before the peer may be tried; 0 if it may be now."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    def allows(self, now: float) -> bool:
        """Return whether to try now. When half open, only the first to ask may: it must then report."""
        state = self.state(now)
        if state is BreakerState.HALF_OPEN:
            if self._trying:
                return False
            self._trying = True
        return state is not BreakerState.OPEN

    def succeeded(self) -> None:
        """Report that the peer answered."""
        self.failures = 0
        self._open_until = None
        self._trying = False

    def failed(self, now: float) -> None:
        """Report that the peer failed."""
        self.failures += 1
        # A failure of an attempt that began before it opened doesn't prolong the wait.
        if self.failures >= self.threshold and self.state(now) is not BreakerState.OPEN:
            self._open_until = now + self.open_s
            self._trying = False
