"""When the log was how long: to tell how old a position is without reading it."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

_MOST = 4096
_APART_S = 0.25


class Marks:
    """Positions of the end of a log, each with the time at which it was seen first, in monotonic seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MOST)
        self._lasts: deque[int] = deque(maxlen=_MOST)

    def note(self, now: float, last: int) -> None:
        """The log ends here now."""
        if self._lasts and self._lasts[-1] >= last:
            return
        if self._times and now - self._times[-1] < _APART_S:
            self._lasts[-1] = last  # a little older than it is: near enough
            return
        self._times.append(now)
        self._lasts.append(last)

    def before(self, time: float, otherwise: int) -> int:
        """Return the last position that was there at a time; ``otherwise`` if it isn't known."""
        place = bisect_left(self._times, time)
        if place == len(self._times) and self._lasts:
            return self._lasts[-1]
        if place == 0:
            return otherwise
        return self._lasts[place - 1]

    def since(self, position: int) -> float | None:
        """Return when a position was seen first; None if it is older than what is known, or isn't there yet."""
        place = bisect_left(self._lasts, position)
        if place == len(self._lasts) or (place == 0 and position < self._lasts[0]):
            return None
        return self._times[place]
