"""How much room there is, and how long it lasts. Pure: what is known of the log is passed in."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mtd.eventlog.interfaces import LogStats

_WINDOW_S = 60.0
# A rate over less says more about one commit than about the minute.
_LEAST_S = 10.0
_SHARE_OF_DISK = 0.1


def held_bytes(stats: LogStats) -> float:
    """Return how much of a log a consumer still needs: what can't be trimmed. By events, which are much alike."""
    if stats.events <= 0 or not stats.consumers:
        return 0.0
    waiting = stats.last_seq - max(min(stats.consumers.values()), stats.first_seq - 1)
    return stats.stored_bytes * min(1.0, max(0, waiting) / stats.events)


def log_fill(stats: LogStats) -> float:
    """Return which share of the quota a consumer still needs. At 1, appending stops."""
    return held_bytes(stats) / stats.max_bytes if stats.max_bytes else 0.0


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """``min_free_bytes``: where appending stops; ``low_bytes``: what above that is little."""

    min_free_bytes: int
    low_bytes: int

    def spare_bytes(self, stats: LogStats) -> float:
        """Return what may still be written; infinite if the log doesn't know its disk."""
        if not (stats.disk_free_bytes or stats.disk_size_bytes):
            return math.inf
        return max(0.0, float(stats.disk_free_bytes - self.min_free_bytes))

    def shortness(self, stats: LogStats) -> float:
        """Return how short the disk is: 1 where it begins to be low, 2 at half of that, and so on."""
        low = float(self.low_bytes)
        if stats.disk_size_bytes:
            low = min(low, _SHARE_OF_DISK * stats.disk_size_bytes)
        return low / max(self.spare_bytes(stats), 1.0)


class Forecast:
    """When there will be no room, if all goes on as in the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float, float]] = deque()

    def update(self, now: float, held: float, quota: float, spare: float) -> float:
        """Take what is held of the quota, and the spare bytes of the disk; return seconds, infinite if never."""
        self._seen.append((now, held, spare))
        while now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()
        began, held_before, spare_before = self._seen[0]
        if now - began < _LEAST_S:
            return math.inf
        return min(
            _lasts(quota - held, (held - held_before) / (now - began)) if quota else math.inf,
            _lasts(spare, (spare_before - spare) / (now - began)) if math.isfinite(spare) else math.inf,
        )


def _lasts(left: float, per_s: float) -> float:
    return max(0.0, left) / per_s if per_s > 0 else math.inf
