"""Latency of one device's answers, to know when the moment of a reading is uncertain (S000-8e)."""

from __future__ import annotations

_WEIGHT = 0.1
_SPIKE_FACTOR = 4.0
_SPIKE_SHARE = 0.1  # of the interval: a shorter delay moves a rate by less than that


class LatencyWatch:
    """Exponential average of the latency of one tier's polls, in seconds."""

    def __init__(self, interval_s: float) -> None:
        self.average_s: float | None = None
        self._floor_s = interval_s * _SPIKE_SHARE

    def is_spike(self, latency_s: float) -> bool:
        """Take a latency; return whether it is far over the usual, and long enough to matter."""
        average = self.average_s
        if average is None:
            self.average_s = latency_s
            return False
        self.average_s = average + _WEIGHT * (latency_s - average)
        return latency_s > self._floor_s and latency_s > _SPIKE_FACTOR * average

    def forget(self) -> None:
        """A new session may take another way."""
        self.average_s = None
