"""Lines on their way to the recorder: those of a device in a short while become one event."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from mtd.listeners import metrics

if TYPE_CHECKING:
    from mtd.model.logs import LogEntry

D = TypeVar("D")

_EVENT_LINES = 200
_EVENT_BYTES = 256 * 1024


class Outbox(Generic[D]):
    """Holds lines until they are flushed, or are as many as one event holds.

    ``record`` takes lines of a device and a sender, and returns whether they are on their way.
    """

    def __init__(self, listener: str, record: Callable[[D, str, Sequence[LogEntry]], bool]) -> None:
        self.devices: Mapping[str, D] = {}
        """Those that there are, by id."""
        self._listener = listener
        self._record_lines = record
        self._pending: dict[tuple[str, str], list[LogEntry]] = {}

    def add(self, device_id: str, sender: str, entry: LogEntry) -> None:
        """Take a line of a device."""
        key = (device_id, sender)
        pending = self._pending.setdefault(key, [])
        pending.append(entry)
        if len(pending) >= _EVENT_LINES:
            self._record(key)

    def flush(self) -> Iterable[None]:
        """Pass all on, an event at a step."""
        for key in list(self._pending):
            if key in self._pending:
                self._record(key)
                yield None

    def _record(self, key: tuple[str, str]) -> None:
        device_id, sender = key
        entries = self._pending.pop(key)
        device = self.devices.get(device_id)
        if device is None:  # removed meanwhile
            self._dropped("unknown_sender", entries)
            return
        for some in _portions(entries):
            if self._record_lines(device, sender, some):
                count_stored(self._listener, len(some), lines_of(some))
            else:
                self._dropped("not_recorded", some)

    def _dropped(self, reason: str, entries: Sequence[LogEntry]) -> None:
        metrics.DROPPED.labels(listener=self._listener, reason=reason).inc(lines_of(entries))


def count_stored(listener: str, lines: int, whole: int) -> None:
    """Count lines that are on their way, which are ``whole`` with those that came again."""
    metrics.STORED.labels(listener=listener).inc(lines)
    metrics.REPEATS.labels(listener=listener).inc(whole - lines)


def lines_of(entries: Iterable[LogEntry]) -> int:
    """Return how many lines entries stand for."""
    return sum(1 + entry.repeats for entry in entries)


def _portions(entries: Sequence[LogEntry]) -> Iterable[Sequence[LogEntry]]:
    """Cut lines into what one event holds."""
    first, size = 0, 0
    for place, entry in enumerate(entries):
        size += len(entry.original) + len(entry.text) + 100
        if place > first and size > _EVENT_BYTES:
            yield entries[first:place]
            first, size = place, 0
    yield entries[first:]
