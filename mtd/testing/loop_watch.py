"""How long an event loop was held, from within: a heartbeat that tells how late it was.

Late by more than one thing may be: what somebody's work held the loop for, and what
the machine did with other processes. So the time that the loop's own thread was on
the processor is kept beside it: it can't be longer than what held the loop.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

BEAT_S = 0.002
_KEPT_MS = 2.0
_MOST_KEPT = 200_000


@dataclass(slots=True)
class LoopWatch:
    """Beats that came late: (when, monotonic seconds; how late; of that on the processor), milliseconds."""

    late: list[tuple[float, float, float]] = field(default_factory=list)
    beats: int = 0
    _due: float = 0.0
    _cpu: float = 0.0
    _timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to beat on the running loop."""
        self._next()

    def stop(self) -> None:
        """Beat no more."""
        if self._timer is not None:
            self._timer.cancel()

    def as_dict(self) -> dict[str, Any]:
        """Return what was seen, for JSON."""
        return {"beats": self.beats, "late": self.late}

    def _next(self) -> None:
        self._cpu = time.thread_time()
        self._due = time.monotonic() + BEAT_S
        self._timer = asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        now, cpu = time.monotonic(), time.thread_time()
        self.beats += 1
        late_ms = (now - self._due) * 1e3
        if late_ms >= _KEPT_MS and len(self.late) < _MOST_KEPT:
            self.late.append((now, round(late_ms, 2), round((cpu - self._cpu) * 1e3, 2)))
        self._next()
