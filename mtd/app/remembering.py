"""What was read from PostgreSQL a moment ago: kept until it is told that something changed, and some seconds at most."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from mtd.core.clock import Clock

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values by key, read when they are asked for and kept for ``keep_s``; the ``most`` that were read last.

    None, for what isn't there, isn't kept.
    """

    def __init__(self, keep_s: float, most: int, clock: Clock) -> None:
        self._keep_s = keep_s
        self._most = most
        self._clock = clock
        self._values: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._changes = 0

    def peek(self, key: K) -> V | None:
        """Return what is kept of a key; None if nothing is, or not any more."""
        found = self._values.get(key)
        if found is None or self._clock.monotonic() >= found[1]:
            return None
        return found[0]

    async def get(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        """Return the value of a key; read it unless it is kept."""
        kept = self.peek(key)
        if kept is not None:
            return kept
        changes = self._changes
        value = await read()
        # What changed while it was read may have been read before it changed.
        if changes == self._changes and value is not None:
            self._values.pop(key, None)
            self._values[key] = value, self._clock.monotonic() + self._keep_s
            while len(self._values) > self._most:
                self._values.popitem(last=False)
        return value

    def drop(self, key: K) -> None:
        """Keep nothing of a key."""
        self._values.pop(key, None)

    def forget(self) -> None:
        """Keep nothing of what was read until now, nor of what is being read."""
        self._changes += 1
        self._values.clear()
