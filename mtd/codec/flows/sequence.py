"""What an exporter numbered, and we never got."""

from __future__ import annotations

from collections import deque

WRAP = 1 << 32
MOST_LOST = 1 << 20
"""A jump ahead over more than that is an exporter that began anew, or another one behind the same address."""
_GAPS = 32
# Nothing is that long on its way: a clock that is further behind was not set yet, as after a boot.
_LATEST_S = 600
# What threads of an exporter may number in another order than they say the time.
_RACING = 1 << 10


def is_start(expected: int, number: int, later_s: int) -> bool:
    """Return whether a message's number is of an exporter that was started since, and neither late nor a duplicate.

    ``later_s``: by how many seconds it was sent later than what has the highest number, by the exporter's clock. What
    was numbered before was not sent after: that tells a start from what was overtaken on its way.
    """
    ahead = (number - expected) % WRAP
    if ahead < WRAP // 2:
        return ahead > MOST_LOST
    back = WRAP - ahead
    if later_s > 0:
        return number < back or back > _RACING
    return later_s < -_LATEST_S and number < back or later_s == 0 and back > MOST_LOST


class Sequence:
    """Follows the numbers of one domain. ``lost``: in the exporter's unit, flows, messages or records.

    What comes late, overtaken on the way, fills its gap again and isn't lost. ``duplicates``: what came once more, or
    later than gaps are known. ``restarts``: numbers that begin anew; what was lost at that moment nobody can tell.

    ``at_s``, wherever it stands: when a message was sent, by the exporter's clock in seconds.
    """

    def __init__(self) -> None:
        self.lost = 0
        self.duplicates = 0
        self.restarts = 0
        self._last: int | None = None
        self._next: int | None = None
        self._at_s = 0  # of the last one
        self._gaps: deque[tuple[int, int]] = deque(maxlen=_GAPS)  # (first number, how many)

    def begins_anew(self, number: int, at_s: int) -> bool:
        """Whether a message's number is of an exporter that was started since."""
        if self._last is None or self._is_of_last(number):
            return False
        expected = self._last if self._next is None else self._next
        return is_start(expected, number, at_s - self._at_s) and not self._is_missing(number)

    def expects(self, number: int) -> bool:
        """Whether a message's number is the one that comes next."""
        return number == self._next

    def advance(self, number: int, units: int, at_s: int) -> None:
        """Note the last of several messages of which each had the number that came next."""
        self._last = number
        self._next = (number + units) % WRAP
        self._at_s = at_s

    def take(self, number: int, units: int | None, at_s: int, *, anew: bool = False) -> None:
        """Note a message's number, and how many units it brought; None if that can't be known.

        ``anew``: that the exporter was started since is known from elsewhere.
        """
        if anew or self.begins_anew(number, at_s):
            self.restarts += 1
            self._gaps.clear()
        elif self._last is not None and number != self._next:
            expected = self._last if self._next is None else self._next
            ahead = (number - expected) % WRAP
            if ahead >= WRAP // 2 or number == self._last:
                if not self._fills_gap(number, units):
                    self.duplicates += 1
                return
            if self._next is not None:
                self.lost += ahead
                self._gaps.append((self._next, ahead))
        self._last = number
        self._next = None if units is None else (number + units) % WRAP
        self._at_s = at_s

    def _is_of_last(self, number: int) -> bool:
        """Whether it is the last message once more, or within it: who numbers messages where records are due."""
        if self._last is None or self._next is None:
            return number == self._last
        return (number - self._last) % WRAP <= (self._next - self._last) % WRAP

    def _is_missing(self, number: int) -> bool:
        return any((number - first) % WRAP < length for first, length in self._gaps)

    def _fills_gap(self, number: int, units: int | None) -> bool:
        for place, (first, length) in enumerate(self._gaps):
            before = (number - first) % WRAP
            if before >= length:
                continue
            # Of what can't be counted nobody knows that any is missing.
            found = length - before if units is None else min(units, length - before)
            self.lost -= found
            after = length - before - found
            del self._gaps[place]
            if before:
                self._gaps.append((first, before))
            if after:
                self._gaps.append(((number + found) % WRAP, after))
            return True
        return False
