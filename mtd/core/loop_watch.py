"""What holds the loop: seen from outside, by a thread that looks at it when it doesn't move.

The loop beats twenty times a second. A beat that is late says for how long
nobody had a turn; the thread, which meanwhile found the beat missing, has seen
where the loop's thread was. That costs nothing where nothing is late.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import FrameType

from mtd.core.metrics import Counter, Histogram

BEAT_S = 0.05
SLOW_S = 0.05
"""Late by more is kept. What may hold the loop is 10 ms; a busy machine adds to that."""
_KEPT = 50
_MOST_FRAMES = 30

LATE = Histogram(
    "mtd_core_loop_late_seconds",
    "How late the loop was for a beat, twenty times a second: what waited for others, or for the processor.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
SLOW = Counter(
    "mtd_core_loop_slow_total", "Beats of the loop that came over 50 ms late; a dump tells where it was."
)


@dataclass(frozen=True, slots=True)
class SlowCallback:
    """The loop was held. ``stack`` is where it was then, innermost last; empty if it was over before anybody looked."""

    at_us: int
    late_s: float
    stack: Sequence[str]


class LoopWatch:
    """Watches the loop that it is started on. ``slow`` is the last of what held it."""

    def __init__(self) -> None:
        self.slow: deque[SlowCallback] = deque(maxlen=_KEPT)
        self._due = 0.0
        self._seen: tuple[float, Sequence[str]] = (0.0, ())
        self._timer: asyncio.TimerHandle | None = None
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._loop_thread = 0

    def start(self) -> None:
        """Begin, on the running loop's thread."""
        self._loop_thread = threading.get_ident()
        self._next(asyncio.get_running_loop())
        self._thread = threading.Thread(target=self._look, name="mtd-loop-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._ended.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join()

    # -- on the loop -----------------------------------------------------------

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = time.monotonic() + BEAT_S
        self._timer = loop.call_later(BEAT_S, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        due, late_s = self._due, max(0.0, time.monotonic() - self._due)
        LATE.observe(late_s)
        if late_s > SLOW_S:
            SLOW.inc()
            seen_of, stack = self._seen
            self.slow.append(
                SlowCallback(time.time_ns() // 1000, round(late_s, 4), stack if seen_of == due else ())
            )
        self._next(loop)

    # -- beside it ---------------------------------------------------------------

    def _look(self) -> None:
        while not self._ended.wait(SLOW_S / 2):
            due = self._due
            if time.monotonic() - due > SLOW_S and self._seen[0] != due:
                frame = sys._current_frames().get(self._loop_thread)
                if frame is not None and self._due == due:
                    self._seen = (due, stack_of(frame))


def stack_of(frame: FrameType) -> list[str]:
    """Return where a thread is, innermost last: files, lines and functions; no values, and no line of a source."""
    walked = traceback.StackSummary.extract(
        traceback.walk_stack(frame), limit=_MOST_FRAMES, lookup_lines=False
    )
    return [f"{one.filename}:{one.lineno} {one.name}" for one in reversed(walked)]
