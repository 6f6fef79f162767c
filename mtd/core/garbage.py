"""The garbage collector, kept from holding the loop.

A full collection of CPython walks every container of the process: half a second
with a thousand routers, and nothing is polled meanwhile. Nearly all of those
containers live as long as their router does. So what survived a long full
collection is set aside (``gc.freeze``), and the next one only walks what came
since. When what is set aside has grown by a quarter, all of it is looked at once
more: cycles that became garbage there cost at most a quarter of what is in use.
"""

from __future__ import annotations

import asyncio
import gc
import time

from mtd.core.metrics import Histogram

PAUSES = Histogram(
    "mtd_core_gc_pause_seconds",
    "Time for which the garbage collector held the process, by generation.",
    ["generation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)

# Most objects of a poll are gone when it ends, without any help. With CPython's own
# threshold of 700 there would be several collections in each poll. Looking at 10,000
# takes up to 4 ms, where they are rows of a large table.
_THRESHOLDS = (10_000, 40, 10)
_YOUNG_S = 1.0
_YOUNG_PER_MIDDLE = 10
_LONG_S = 0.005
_GROWTH = 1.25


class QuietGarbage:
    """Collects as long as it is started. One per process."""

    def __init__(self, long_s: float = _LONG_S) -> None:
        self._long_s = long_s
        self._pauses = [PAUSES.labels(generation=str(number)) for number in range(3)]
        self._before = gc.get_threshold()
        self._began = 0.0
        self._frozen_at_look = 0

    def start(self) -> None:
        """Set aside what is there: modules, mostly."""
        self._before = gc.get_threshold()
        gc.collect()
        gc.freeze()
        self._frozen_at_look = gc.get_freeze_count()
        gc.set_threshold(*_THRESHOLDS)
        gc.callbacks.append(self._collecting)

    async def keep_young_few(self) -> None:
        """Look at what was made lately, each second, and every ten at what survived that, until cancelled.

        CPython does so when 10,000 objects more were made than freed. Where as many
        go as come, such as rows of a large table, that isn't for hours, and then it
        walks all that came in the meantime. Cycles that a poll still needed at the
        first look would be garbage for as long: of 200 routers, 5,000 objects a minute.
        """
        looks = 0
        while True:
            await asyncio.sleep(_YOUNG_S)
            looks += 1
            gc.collect(1 if looks % _YOUNG_PER_MIDDLE == 0 else 0)

    def stop(self) -> None:
        """Leave collecting to CPython's ways again."""
        if self._collecting in gc.callbacks:
            gc.callbacks.remove(self._collecting)
            gc.set_threshold(*self._before)
            gc.unfreeze()

    def _collecting(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
            return
        took = time.perf_counter() - self._began
        generation = info["generation"]
        self._pauses[generation].observe(took)
        if generation == 2 and took > self._long_s:
            self._set_aside()

    def _set_aside(self) -> None:
        gc.freeze()
        frozen = gc.get_freeze_count()
        if self._frozen_at_look == 0:
            # All of it was just looked at.
            self._frozen_at_look = frozen
        elif frozen > _GROWTH * self._frozen_at_look:
            gc.unfreeze()
            self._frozen_at_look = 0
