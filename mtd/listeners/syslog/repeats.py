"""Lines that come again and again: the first is stored as it comes, the others together, as the last of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mtd.model.logs import LogEntry

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Again:
    """Lines that came again: the last of them, which says how many there were beside it, and where they came from."""

    device_id: str
    sender: str
    last: LogEntry


@dataclass(slots=True)
class _Seen:
    until: float
    device_id: str
    sender: str = ""
    last: LogEntry | None = None
    repeats: int = 0


class Repeats:
    """Knows the lines of the last while: twins are of one device, and have the same topics and text.

    Times are monotonic seconds. Bound: ten thousand lines, of which only those are kept whole that came again; policy: the
    oldest window ends early.
    """

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._seen: OrderedDict[int, _Seen] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def is_repeat(self, device_id: str, sender: str, entry: LogEntry, now: float) -> bool:
        """Return whether a line is one of those that are told together; it is kept then, until ``due`` gives them.

        If not, its own window begins. Call ``due`` before, for what is over.
        """
        if not self._window_s:
            return False
        key = hash((device_id, entry.topics, entry.text))
        seen = self._seen.get(key)
        if seen is None:
            self._seen[key] = _Seen(now + self._window_s, device_id)
            return False
        seen.sender, seen.last = sender, entry
        seen.repeats += 1
        return True

    def due(self, now: float) -> Iterator[Again]:
        """Yield what came again within windows that are over, and forget it. At infinity all are."""
        while self._seen:
            key, seen = next(iter(self._seen.items()))
            if len(self._seen) <= _MOST and now < seen.until:
                return
            del self._seen[key]
            if seen.last is not None:
                yield Again(seen.device_id, seen.sender, replace(seen.last, repeats=seen.repeats - 1))
