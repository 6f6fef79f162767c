"""Long ranges in slices of time, so that neither side holds more than one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtd.client.errors import MtdClientError
from mtd.client.ranges import RangeResult
from mtd.client.resume import Resume

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US

MOST_POINTS = 100_000
"""Most points of a series that the daemon gives at once."""

# As many points of a few hundred series as an answer holds, at the usual paces.
_FIRST_US = {"raw": HOUR_US, "10s": 6 * HOUR_US, "1m": DAY_US, "5m": 4 * DAY_US}
_STEPS_US = {"raw": 0, "10s": 10 * SECOND_US, "1m": 60 * SECOND_US, "5m": 300 * SECOND_US}
_LONGEST_US = 64 * DAY_US
# Slices begin at multiples of this, so that no bucket lies in two of them.
_SHORTEST_US = 300 * SECOND_US
_FEW_POINTS = 50_000
_TOO_MUCH = frozenset({"TOO_MANY_POINTS", "RESOURCE_EXHAUSTED"})
# Or too much runs besides: the shortest slice is asked for again.
_TOO_SLOW = frozenset({"TOO_SLOW", "DEADLINE_EXCEEDED"})

GIVE_UP_AFTER_S = 180.0
"""How long the daemon may fail to answer: a restart, its database's too, takes less."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What one device has over a part of a range. ``device`` is as it was asked for."""

    device: str
    start_us: int
    end_us: int
    result: RangeResult


def resolutions() -> Sequence[str]:
    """Return the resolutions that can be read in slices."""
    return list(_STEPS_US)


class SlicePlan:
    """Which part of a range is asked for next: as long as the daemon answers whole, shorter where it refuses.

    Ask for ``due`` until it is None, and ``take`` each answer or error. After an
    error wait ``pause_s`` seconds: what may succeed later is asked for again.
    """

    def __init__(
        self,
        device: str,
        start_us: int,
        end_us: int,
        resolution: str,
        give_up_after_s: float | None = GIVE_UP_AFTER_S,
    ) -> None:
        if resolution not in _STEPS_US:
            raise MtdClientError(
                f"{resolution!r} isn't one of {', '.join(_STEPS_US)}",
                code="INVALID_ARGUMENT",
                reason="UNKNOWN_WORD",
            )
        self._device = device
        self._at_us, self._end_us = start_us, end_us
        self._step_us = _STEPS_US[resolution]
        self._length_us = _FIRST_US[resolution]
        self._resume = Resume(give_up_after_s)
        self.pause_s = 0.0

    @property
    def due(self) -> tuple[int, int] | None:
        """The next [start, end), in microseconds since the epoch; None at the end."""
        if self._at_us >= self._end_us:
            return None
        return self._at_us, min((self._at_us // self._length_us + 1) * self._length_us, self._end_us)

    def take(self, answer: RangeResult | MtdClientError) -> Slice | None:
        """Return the slice that an answer to ``due`` is; None if it has to be asked for again, or in shorter ones.

        Raises the error if neither helps.
        """
        due = self.due
        assert due is not None
        start_us, end_us = due
        self.pause_s = 0.0
        if isinstance(answer, MtdClientError):
            self._take_error(answer)
            return None
        self._resume.succeeded()
        if answer.bucket_us != self._step_us:  # thinned
            self._shorten()
            return None
        self._at_us = end_us
        if sum(len(series.times_us) for series in answer.series) < _FEW_POINTS:
            self._length_us = min(self._length_us * 2, _LONGEST_US)
        return Slice(self._device, start_us, end_us, answer)

    def _take_error(self, error: MtdClientError) -> None:
        if error.reason in _TOO_MUCH or (error.reason in _TOO_SLOW and self._length_us > _SHORTEST_US):
            self._shorten()
        elif error.reason == "CLOSED":  # this client, by whoever has it
            raise error
        else:
            self.pause_s = self._resume.delay_after(error)

    def _shorten(self) -> None:
        if self._length_us <= _SHORTEST_US:
            raise MtdClientError(
                f"five minutes of {self._device} are more than the daemon answers at once",
                code="RESOURCE_EXHAUSTED",
                reason="TOO_MANY_POINTS",
                hint="name fewer metrics, or a coarser resolution",
            )
        self._length_us = max(_SHORTEST_US, self._length_us // 2 // _SHORTEST_US * _SHORTEST_US)
