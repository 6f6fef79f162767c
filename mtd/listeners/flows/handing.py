"""Portions of flows on their way from workers to the recorder, which waits while the log takes nothing.

A worker hands over so many bytes at most that aren't recorded yet, and keeps others itself: so what it counted is
never behind what waits, and all of it is bounded.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from mtd.core.queues import Policy, declare
from mtd.listeners.pipe import PORTION, frame
from mtd.listeners.turns import LOOK_AGAIN_S

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.pb.events.v1.envelope_pb2 import Envelope

MOST_BYTES_EACH = 4 * 2**20
"""What a worker may have handed over that isn't recorded yet; one portion may be more than that."""
_TURN_S = 0.004

HANDED_OVER = declare(
    "listeners.handed_over_flows",
    "bytes",
    Policy.WAIT,
    "Packed records that workers read and that wait to be recorded.",
    limited_by="4 MiB, or one portion, for each of flows.workers",
)
WAITING = declare(
    "listeners.waiting_flows",
    "bytes",
    Policy.DROP_NEWEST,
    "Packed records in workers that wait to be handed over.",
    limited_by="flows.max_waiting_bytes, for each of flows.workers",
    counted_by="mtd_flows_dropped_records_total",
)


class Outbox:
    """The worker's side. ``most_unrecorded``, ``most_waiting``: bytes that may be handed over, and wait here."""

    def __init__(
        self, write: Callable[[bytes], object], most_unrecorded: int, most_waiting: int, unrecorded: int = 0
    ) -> None:
        self._write = write
        self._most_unrecorded = most_unrecorded
        self._most_waiting = most_waiting
        self._unrecorded = unrecorded  # of workers that were there before, too
        self._waiting: deque[bytes] = deque()
        self.waiting_bytes = 0

    def put(self, portion: bytes) -> bool:
        """Hand over a portion, or keep it until that may be; return whether there was room."""
        if self._waiting and self.waiting_bytes + len(portion) > self._most_waiting:
            return False
        self._waiting.append(portion)
        self.waiting_bytes += len(portion)
        self._hand_over()
        return True

    def taken(self, size: int) -> None:
        """Note that so many bytes were recorded."""
        self._unrecorded -= size
        self._hand_over()

    def finish(self) -> None:
        """Hand over all there is."""
        while self._waiting:
            self._hand_over_one()

    def _hand_over(self) -> None:
        while self._waiting and (
            self._unrecorded <= 0 or self._unrecorded + len(self._waiting[0]) <= self._most_unrecorded
        ):
            self._hand_over_one()

    def _hand_over_one(self) -> None:
        portion = self._waiting.popleft()
        self.waiting_bytes -= len(portion)
        self._unrecorded += len(portion)
        self._write(frame(PORTION, portion))


class _Handed(NamedTuple):
    """A portion that waits to be recorded. ``number``: of its worker."""

    number: int
    size: int
    event: Envelope


class HandedOver:
    """The daemon's side. ``tell``: is told of a worker how many bytes of it were taken, so that it may hand over more."""

    def __init__(
        self,
        workers: int,
        record: Callable[[Envelope], None],
        is_held_up: Callable[[], bool],
        tell: Callable[[int, bytes], None],
        clock: Clock,
    ) -> None:
        self._record = record
        self._is_held_up = is_held_up
        self._tell = tell
        self._clock = clock
        self._waiting: deque[_Handed] = deque()
        self._bytes: Counter[int] = Counter()
        self._filled = asyncio.Event()
        HANDED_OVER.watch(self, lambda one: one._bytes.total(), lambda _: workers * MOST_BYTES_EACH)

    def put(self, number: int, event: Envelope, size: int) -> None:
        """Take a portion of a worker, of so many bytes."""
        self._waiting.append(_Handed(number, size, event))
        self._bytes[number] += size
        self._filled.set()

    def bytes_of(self, number: int) -> int:
        """Return how much waits of what a worker, or one that was there before it, handed over."""
        return self._bytes[number]

    async def run(self) -> None:
        """Record what comes, for as long as this isn't cancelled."""
        while True:
            await self._filled.wait()
            if self._is_held_up():
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            self._record_some()
            await asyncio.sleep(0)

    async def finish(self) -> None:
        """Record what is left."""
        while self._waiting:
            self._record_some()
            await asyncio.sleep(0)

    def _record_some(self) -> None:
        """Record for some milliseconds, and tell the workers."""
        taken: Counter[int] = Counter()
        end = self._clock.monotonic() + _TURN_S
        while self._waiting:
            number, size, event = self._waiting.popleft()
            self._bytes[number] -= size
            taken[number] += size
            self._record(event)
            if self._clock.monotonic() >= end:
                break
        if not self._waiting:
            self._filled.clear()
        for number, size in taken.items():
            self._tell(number, b'{"taken":%d}\n' % size)
