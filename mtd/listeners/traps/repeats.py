"""Messages that came already: an inform is sent again until it is answered, and anybody can send a recorded one."""

from __future__ import annotations

from collections import OrderedDict

# Longer than senders try again, and than a recorded message is in the time window.
_KNOWN_FOR_S = 600.0
_MOST = 20_000


class Marks:
    """Marks of the last messages. Bound: twenty thousand; policy: the oldest is forgotten early. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def is_repeat(self, mark: bytes, now: float) -> bool:
        """Return whether a message came before, and take note of it. An empty mark is of one that has no copies."""
        while self._seen and (len(self._seen) > _MOST or next(iter(self._seen.values())) <= now):
            self._seen.popitem(last=False)
        if not mark:
            return False
        if mark in self._seen:
            return True
        self._seen[mark] = now + _KNOWN_FOR_S
        return False

    def forget(self, mark: bytes) -> None:
        """Take the next one for the first: this one wasn't recorded."""
        self._seen.pop(mark, None)
