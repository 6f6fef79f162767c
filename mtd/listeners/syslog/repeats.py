"""Lines that come again and again: stored once, with how often."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mtd.model.logs import LogEntry

_MOST = 50_000


@dataclass(slots=True)
class _Seen:
    first_us: int
    last: LogEntry
    repeats: int = 0


class Repeats:
    """Knows the lines of the last while. A line of one device is another's twin if topics and text are the same."""

    def __init__(self, window_s: float) -> None:
        self._window_us = round(window_s * 1e6)
        self._seen: OrderedDict[tuple[str, tuple[str, ...], str], _Seen] = OrderedDict()

    def is_repeat(self, device_id: str, entry: LogEntry) -> bool:
        """Return whether a line is one of those that are told together; it is kept then, until ``due`` gives them."""
        if not self._window_us:
            return False
        key = (device_id, entry.topics, entry.text)
        seen = self._seen.get(key)
        if seen is None or entry.received_us - seen.first_us >= self._window_us:
            return False
        seen.repeats += 1
        seen.last = entry
        return True

    def stored(self, device_id: str, entry: LogEntry) -> None:
        """Take note of a line that was stored: from now on its twins are repeats. After ``is_repeat`` and ``due``."""
        if self._window_us:
            self._seen[device_id, entry.topics, entry.text] = _Seen(entry.received_us, entry)

    def due(self, now_us: int, *, all_of_them: bool = False) -> Iterator[tuple[str, LogEntry]]:
        """Yield device and line of what came again within a window that is over, and forget it."""
        while self._seen:
            key, seen = next(iter(self._seen.items()))
            if not (all_of_them or len(self._seen) > _MOST or now_us - seen.first_us >= self._window_us):
                return
            del self._seen[key]
            if seen.repeats:
                yield key[0], replace(seen.last, repeats=seen.repeats - 1)

    def due_of(self, device_id: str, entry: LogEntry) -> LogEntry | None:
        """Return what came again of a line whose window is over, before it is stored once more; None if nothing did."""
        seen = self._seen.pop((device_id, entry.topics, entry.text), None)
        return replace(seen.last, repeats=seen.repeats - 1) if seen is not None and seen.repeats else None
