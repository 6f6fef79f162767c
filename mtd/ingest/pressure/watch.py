"""Looks at what piles up, once a second, and says how much less is polled and taken in."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.core.metrics import TASK_FAILURES
from mtd.core.service import TaskGroup
from mtd.ingest.pressure import metrics
from mtd.ingest.pressure.room import DiskLimits, Forecast, held_bytes, log_fill
from mtd.ingest.pressure.steps import Cause, Stepper, interval_factors
from mtd.ingest.pressure.telling import Teller
from mtd.model.metric import Tier

if TYPE_CHECKING:
    from mtd.eventlog.interfaces import LogStats
    from mtd.ingest.pressure.config import PressureConfig
    from mtd.model.observation import StateChange

logger = logging.getLogger(__name__)

T0_WAITS_AT = 0.95
"""Fill of the buffer at which T0 waits: what is polled then would push out what was polled before."""

# The step, counted from 0, from which on a tier isn't polled at all.
_STEP_WITHOUT = {Tier.T3: 1, Tier.T2: 2, Tier.T1: 3}

# A backlog that was sent before is taken in last: it is safe where it is.
_BACKFILL_WAITS_AT, _LIVE_WAITS_AT = 2, 4


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is looked at. ``backlog_s``: how far PostgreSQL, or on an edge the hub, is behind the log."""

    buffer_fill: Callable[[], float]
    log_stats: Callable[[], LogStats]
    backlog_s: Callable[[], float]
    record: Callable[[StateChange], None]


class Pressure:
    """How much is held back. To be asked in the loop's thread; each question is a look at a number."""

    def __init__(
        self,
        config: PressureConfig,
        around: Surroundings,
        *,
        collector_id: str,
        min_free_bytes: int,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._config = config
        self._around = around
        self._clock = clock
        self._disk = DiskLimits(min_free_bytes, config.disk_low_bytes)
        self._forecast = Forecast()
        self._teller = Teller(collector_id, around.record)
        self._tasks = TaskGroup("ingest.pressure")
        self._steppers = self._new_steppers()
        self._factors: Mapping[Tier, int] = interval_factors(0)
        self._opened = asyncio.Event()
        self._stopped = False
        self.level = 0
        """0: all is polled and taken; 5: nothing is."""
        self.full_s = math.inf
        """In how many seconds there is no room, if all goes on as it does."""
        self._tell_metrics()

    def _new_steppers(self) -> dict[Cause, Stepper]:
        config = self._config
        thresholds = {
            Cause.BUFFER: (*config.buffer_fill, max(T0_WAITS_AT, config.buffer_fill[-1])),
            Cause.LOG: config.log_fill,
            Cause.DISK: (1.0, 2.0, 4.0, 8.0),
            Cause.BACKLOG: config.backlog_s,
        }
        return {
            cause: Stepper(steps, config.release, config.rise_s, config.calm_s)
            for cause, steps in thresholds.items()
        }

    async def start(self) -> None:
        """Begin to look."""
        self._stopped = False
        self._tasks.spawn("look", self._look_again_and_again())

    async def stop(self) -> None:
        """Look no more. Who waits is let go."""
        await self._tasks.stop()
        self._stopped = True
        self._opened.set()

    # -- asked by others -------------------------------------------------------

    def factor(self, tier: Tier) -> int:
        """Return how many times as long the interval of a tier is now; 0: it isn't to be polled."""
        fill = self._around.buffer_fill()
        if tier is Tier.T0:
            # At once, and back at once: live values wait for nothing but room in memory.
            return 0 if fill >= T0_WAITS_AT else 1
        # Memory is full sooner than somebody looks.
        return 0 if fill >= self._config.buffer_fill[_STEP_WITHOUT[tier]] else self._factors[tier]

    def buffer_fill(self) -> float:
        """Return how full the buffer in front of the log is, 0 to 1."""
        return self._around.buffer_fill()

    @property
    def thins(self) -> str:
        """The highest tier that is not polled as usual: none, t3, t2, t1 or t0."""
        return next((tier.value for tier in sorted(Tier) if self._factors[tier] != 1), "none")

    @property
    def reason(self) -> str:
        """Why there is pressure, in words; empty if there is none."""
        return self._teller.reason

    def held_back(self) -> str:
        """Return why programs that send have to come again, empty if they need not; counts that they were told."""
        if self.level < _LIVE_WAITS_AT:
            return ""
        metrics.HELD_BACK.labels(door="push").inc()
        return self.reason

    async def wait_for_turn(self, lane: str) -> None:
        """Wait until a stream of a collector may be read on; its own log keeps what it holds. ``lane``: live or backfill."""
        limit = _LIVE_WAITS_AT if lane == "live" else _BACKFILL_WAITS_AT
        if self.level < limit:
            return
        metrics.HELD_BACK.labels(door=lane).inc()
        began = self._clock.monotonic()
        try:
            while self.level >= limit and not self._stopped:
                self._opened.clear()
                await self._opened.wait()
        finally:
            metrics.HELD_BACK_SECONDS.labels(lane=lane).inc(self._clock.monotonic() - began)

    # -- looking ---------------------------------------------------------------

    async def _look_again_and_again(self) -> None:
        while True:
            try:
                self.look()
            except Exception:
                # Whatever is wrong with us, polling as usual would make it worse: the level stays.
                TASK_FAILURES.labels(task="ingest.pressure").inc()
                logger.exception("looking at what piles up failed by an error of mtd")
            await asyncio.sleep(self._config.look_s)

    def look(self) -> None:
        """Look once, and act on it."""
        now, stats = self._clock.monotonic(), self._around.log_stats()
        values = {
            Cause.BUFFER: self._around.buffer_fill(),
            Cause.LOG: log_fill(stats),
            Cause.DISK: self._disk.shortness(stats),
            Cause.BACKLOG: self._around.backlog_s(),
        }
        spare = self._disk.spare_bytes(stats)
        self.full_s = self._forecast.update(now, held_bytes(stats), stats.max_bytes, spare)
        before = {cause: stepper.step for cause, stepper in self._steppers.items()}
        for cause, value in values.items():
            self._steppers[cause].update(value, now)
        steps = {cause: stepper.step for cause, stepper in self._steppers.items()}
        level, self.level = self.level, max(steps.values())
        self._factors = interval_factors(self.level)
        self._teller.tell(level, self.level, before, steps, values, spare, self.full_s)
        if self.level < level:
            self._opened.set()
        metrics.LOG_FILL.set(values[Cause.LOG])
        metrics.BACKLOG_SECONDS.set(values[Cause.BACKLOG])
        metrics.DISK_SPARE_BYTES.set(spare)
        self._tell_metrics()

    def _tell_metrics(self) -> None:
        metrics.LEVEL.set(self.level)
        metrics.FULL_SECONDS.set(self.full_s)
        for cause, stepper in self._steppers.items():
            metrics.CAUSE_LEVEL.labels(cause=cause).set(stepper.step)
        for tier, factor in self._factors.items():
            metrics.INTERVAL_FACTOR.labels(tier=tier).set(factor)
