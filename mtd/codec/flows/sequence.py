"""What an exporter numbered, and we never got."""

from __future__ import annotations

from collections import deque

WRAP = 1 << 32
# A jump over more than that is an exporter that began anew, or another one behind the same address.
_MOST_LOST = 1 << 20
_GAPS = 32


class Sequence:
    """Follows the numbers of one domain. ``lost``: in the exporter's unit, flows, messages or records.

    What comes late, overtaken on the way, fills its gap again and isn't lost. ``duplicates``: the last message
    once more. ``restarts``: numbers that begin anew; what was lost at that moment nobody can tell.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.duplicates = 0
        self.restarts = 0
        self._last: int | None = None
        self._next: int | None = None
        self._gaps: deque[tuple[int, int]] = deque(maxlen=_GAPS)  # (first number, how many)

    def begins_anew(self, number: int) -> bool:
        """Whether a message's number is of an exporter that was started since."""
        if self._next is None or number in (self._next, self._last):
            return False
        return (number - self._next) % WRAP > _MOST_LOST and not any(
            (number - first) % WRAP < length for first, length in self._gaps
        )

    def expects(self, number: int) -> bool:
        """Whether a message's number is the one that comes next."""
        return number == self._next

    def advance(self, number: int, units: int) -> None:
        """Note the last of several messages of which each had the number that came next."""
        self._last = number
        self._next = (number + units) % WRAP

    def take(self, number: int, units: int | None) -> None:
        """Note a message's number, and how many units it brought; None if that can't be known."""
        if self._next is not None and number != self._next:
            ahead = (number - self._next) % WRAP
            if ahead <= _MOST_LOST:
                self.lost += ahead
                self._gaps.append((self._next, ahead))
            elif number == self._last:
                self.duplicates += 1
                return
            elif self._fills_gap(number, units or 0):
                return
            else:
                self.restarts += 1
                self._gaps.clear()
        self._last = number
        self._next = None if units is None else (number + units) % WRAP

    def _fills_gap(self, number: int, units: int) -> bool:
        for place, (first, length) in enumerate(self._gaps):
            before = (number - first) % WRAP
            if before >= length:
                continue
            found = min(units, length - before)
            self.lost -= found
            after = length - before - found
            del self._gaps[place]
            if before:
                self._gaps.append((first, before))
            if after:
                self._gaps.append(((number + found) % WRAP, after))
            return True
        return False


def is_other_start(before: int, number: int) -> bool:
    """Return whether a number is too far from one before to be of the same start."""
    return _MOST_LOST < (number - before) % WRAP < WRAP - _MOST_LOST
