"""What mtd read of a router before and after a witness did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Moment:
    """When a witness asked a router, and when it had the answer, in microseconds since 1970."""

    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Polls:
    """Our values before and after a moment.

    Polls of one router come one after the other. So of two polls whose answers
    came after the moment, the second was asked after it, and shows what was
    later; and of two before it, the first was answered before it for sure.
    """

    series: Mapping[str, Mapping[int, float]]
    moment: Moment

    def complete(self) -> bool:
        """Whether each series has two values on both sides."""
        return bool(self.series) and all(self._before(key) and self._after(key) for key in self.series)

    def before(self, key: str) -> float:
        """Return our value before the moment."""
        return self.series[key][self._before(key)[-2]]

    def after(self, key: str) -> float:
        """Return our value after the moment."""
        return self.series[key][self._after(key)[1]]

    def at(self, key: str) -> tuple[float, Moment]:
        """Return a value of ours next to the moment, and the span of time that it is from.

        A poll has the time of one of its answers: others of it, on a slow
        machine, came noticeably later, but before the next poll's.
        """
        earlier, later = self._before(key)[-2:]
        following = min(time_us for time_us in self.series[key] if time_us > later)
        return self.series[key][later], Moment(earlier, following)

    def _before(self, key: str) -> list[int]:
        found = [time_us for time_us in self.series[key] if time_us < self.moment.start_us]
        return found if len(found) > 1 else []

    def _after(self, key: str) -> list[int]:
        found = [time_us for time_us in self.series[key] if time_us > self.moment.end_us]
        return found if len(found) > 1 else []
