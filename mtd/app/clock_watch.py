"""A machine's clock that was set while mtd runs: told as an event, because times before and after don't go together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.metrics import Counter
from mtd.core.service import TaskGroup
from mtd.model.device import Severity
from mtd.model.observation import StateChange

STEPPED = "collector.clock.stepped"
_LOOK_S = 1.0
_LEAST_S = 2.0

STEPS = Counter(
    "mtd_clock_steps_total", "Times that the machine's clock was set while mtd ran.", ["direction"]
)


class ClockWatch:
    """Compares the wall clock with the monotonic one, which nobody can set. ``tell`` takes what happened."""

    def __init__(
        self, collector_id: str, tell: Callable[[StateChange], None], clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._collector_id = collector_id
        self._tell = tell
        self._clock = clock
        self._tasks = TaskGroup("app.clock")
        self._offset_s = 0.0

    async def start(self) -> None:
        """Begin to look."""
        self._offset_s = self._offset()
        self._tasks.spawn("watch", self._watch())

    async def stop(self) -> None:
        """Look no more."""
        await self._tasks.stop()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()

    def look(self) -> None:
        """Tell if the clock was set since the last look by more than NTP moves it unseen."""
        offset_s = self._offset()
        by_s, self._offset_s = offset_s - self._offset_s, offset_s
        if abs(by_s) >= _LEAST_S:
            STEPS.labels(direction="forward" if by_s > 0 else "back").inc()
            self._tell(stepped(self._collector_id, by_s))

    def _offset(self) -> float:
        return self._clock.now_us() / 1e6 - self._clock.monotonic()


def stepped(collector_id: str, by_s: float) -> StateChange:
    """Return that a clock was set by so many seconds."""
    if by_s > 0:
        text = f"the clock was set forward by {by_s:.1f} s, or the machine slept for so long"
    else:
        text = f"the clock was set back by {-by_s:.1f} s: values that were dated ahead give way to what is polled now"
    return StateChange(
        event_type=STEPPED,
        severity=Severity.WARNING,
        entity_type="collector",
        entity_id=collector_id,
        entity_label=collector_id,
        field="clock",
        old="0",
        new=f"{by_s:.3f}",
        message=text,
    )
