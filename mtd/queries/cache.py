"""Answers that are kept for some seconds, each with its age."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sized
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mtd.core.clock import SYSTEM_CLOCK, Clock

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Key = tuple[str, Hashable]
"""Tenant, and what was asked."""

MOST_BYTES = 32 << 20
# Of the whole room: what is larger is read again each time, rather than to push out all others.
_LARGEST_SHARE = 8
# What a record of the answers takes with its texts, on the safe side.
_RECORD_BYTES = 600


@dataclass(frozen=True, slots=True)
class Aged(Generic[T_co]):
    """An answer, and how long ago it was read, in seconds."""

    value: T_co
    age_s: float


@dataclass(frozen=True, slots=True)
class _Kept:
    at: float
    until: float
    size: int
    value: Any


@dataclass(slots=True)
class _Reading:
    task: asyncio.Task[tuple[float, Any]]
    waiting: int = 0


class AnswerCache:
    """Keeps at most ``most`` answers of ``most_bytes`` together. Who asks while an answer is being read waits for it.

    A failure isn't kept: whoever asks next reads again. When all who wait have
    given up, the reading is cancelled.
    """

    def __init__(self, most: int, clock: Clock = SYSTEM_CLOCK, *, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._clock = clock
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._reading: dict[Key, _Reading] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        """About how much is kept."""
        return self._size

    async def get(
        self, tenant_id: str, asked: Hashable, keep_s: float, read: Callable[[], Awaitable[T]]
    ) -> Aged[T]:
        """Return the answer to ``asked``: the kept one if it is younger than ``keep_s``, else a new one."""
        key = (tenant_id, asked)
        kept = self._kept.get(key)
        if kept is not None:
            age_s = self._clock.monotonic() - kept.at
            if age_s < keep_s:
                return Aged(kept.value, age_s)
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = _Reading(asyncio.ensure_future(self._read(key, keep_s, read)))
            # Where all who wait have given up, nobody asks what became of it.
            reading.task.add_done_callback(lambda done: done.cancelled() or done.exception())
        at, value = await self._await(key, reading)
        return Aged(value, self._clock.monotonic() - at)

    async def _await(self, key: Key, reading: _Reading) -> tuple[float, Any]:
        reading.waiting += 1
        try:
            # Shielded: one of those who wait may give up, the others still want it.
            return await asyncio.shield(reading.task)
        finally:
            reading.waiting -= 1
            if not reading.waiting:
                # Who asks from now on doesn't wait for what is being cancelled.
                if self._reading.get(key) is reading:
                    del self._reading[key]
                reading.task.cancel()

    async def _read(self, key: Key, keep_s: float, read: Callable[[], Awaitable[T]]) -> tuple[float, T]:
        at = self._clock.monotonic()
        value = await read()
        self._keep(key, _Kept(at, at + keep_s, _size_of(value), value))
        return at, value

    def _keep(self, key: Key, answer: _Kept) -> None:
        now = self._clock.monotonic()
        for other in [other for other, kept in self._kept.items() if kept.until <= now or other == key]:
            self._drop(other)
        if answer.size > self._most_bytes // _LARGEST_SHARE:
            return
        self._kept[key] = answer
        self._size += answer.size
        while len(self._kept) > self._most or self._size > self._most_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        self._size -= self._kept.pop(key).size


def _size_of(value: object) -> int:
    if isinstance(value, bytes):
        return _RECORD_BYTES + len(value)
    return _RECORD_BYTES * (1 + (len(value) if isinstance(value, Sized) else 0))
