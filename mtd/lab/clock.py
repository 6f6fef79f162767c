"""Lab time: whole milliseconds since the epoch of the lab run."""

from __future__ import annotations

import time

TICKS_PER_S = 1000
US_PER_TICK = 1000


def to_ticks(seconds: float) -> int:
    """Return a duration in seconds as whole ticks."""
    return round(seconds * TICKS_PER_S)


class LabClock:
    """Turns wall time into ticks.

    It is anchored to the wall clock once and runs on the monotonic one: a
    step of the machine's clock doesn't make a simulated counter jump.
    """

    def __init__(self, epoch_us: int | None = None) -> None:
        now_ns = time.time_ns()
        self.epoch_us = now_ns // 1000 if epoch_us is None else epoch_us
        # Nanoseconds to add to the monotonic clock to get time since the epoch.
        self._offset_ns = now_ns - self.epoch_us * 1000 - time.monotonic_ns()

    def now_tick(self) -> int:
        """Return the present tick."""
        return (time.monotonic_ns() + self._offset_ns) // 1_000_000

    def skip(self, seconds: float) -> None:
        """Let lab time jump ahead: whoever waits for something in ten minutes needn't."""
        self._offset_ns += round(seconds * 1e9)

    def tick_at(self, wall_us: int) -> int:
        """Return the tick that holds a wall time, in microseconds since 1970."""
        return (wall_us - self.epoch_us) // US_PER_TICK

    def us_at(self, tick: int) -> int:
        """Return the wall time at which a tick begins, in microseconds since 1970."""
        return self.epoch_us + tick * US_PER_TICK
