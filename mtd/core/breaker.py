"""A breaker: after failures in a row, leave a peer alone for a while, then try it now and then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """A state machine without a clock: ``now`` is monotonic seconds, and never goes back.

    It opens at the ``threshold``-th failure in a row, for ``open_s`` seconds.
    After that each further failure opens it again, until a success closes it.
    """

    threshold: int = 5
    open_s: float = 30.0
    failures: int = 0
    _open_until: float = 0.0

    def wait_s(self, now: float) -> float:
        """Return how many seconds are left before the peer may be tried; 0 if it may be now."""
        return max(0.0, self._open_until - now) if self.failures >= self.threshold else 0.0

    def succeeded(self) -> None:
        """Report that the peer answered."""
        self.failures = 0

    def failed(self, now: float, open_s: float | None = None) -> None:
        """Report that the peer failed; ``open_s`` replaces the usual seconds if this opens it."""
        # A failure of an attempt that began before it opened doesn't prolong the wait.
        opened = self.wait_s(now) > 0
        self.failures += 1
        if self.failures >= self.threshold and not opened:
            self._open_until = now + (self.open_s if open_s is None else open_s)
