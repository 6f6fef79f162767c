"""The two clocks: wall time for timestamps, monotonic time for intervals."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the process knows of time. Tests pass their own."""

    def now_us(self) -> int:
        """Return wall time in microseconds since the epoch."""

    def monotonic(self) -> float:
        """Return monotonic time in seconds."""


class SystemClock:
    """The clocks of the machine."""

    def now_us(self) -> int:
        """Return wall time in microseconds since the epoch."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Return monotonic time in seconds."""
        return time.monotonic()


SYSTEM_CLOCK = SystemClock()


class LeaseClock(SystemClock):
    """Of leases: what passes while the machine is suspended counts, because others' clocks went on."""

    def monotonic(self) -> float:
        """Return the time since the machine was started, in seconds, suspension included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)


LEASE_CLOCK = LeaseClock()
