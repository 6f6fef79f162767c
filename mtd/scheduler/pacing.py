"""When a tier is due. Pure: time is passed in."""

from __future__ import annotations

import math


class Pacer:
    """A fixed grid of due times: no drift, no pile-up.

    Due times are ``phase + n * interval_s`` on the monotonic clock. A poll
    that runs over its interval makes the due times it ran through skipped:
    they are counted, never made up for.
    """

    def __init__(self, interval_s: float, phase: float) -> None:
        self.interval_s = interval_s
        self.next_due = phase

    def advance(self, now: float) -> int:
        """Move to the first due time after ``now``; return how many were passed over.

        The due time that was just served doesn't count as passed over.
        """
        behind = now - self.next_due
        passed = max(0, math.floor(behind / self.interval_s))
        self.next_due += (passed + 1) * self.interval_s
        return passed
