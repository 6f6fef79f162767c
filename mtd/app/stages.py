"""Parts of a process in the order in which they were started, and how they end: in reverse."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from mtd.core.clock import SYSTEM_CLOCK

logger = logging.getLogger(__name__)

_LEAST_STOP_S = 0.1

Stop = Callable[[], Awaitable[object]]


class Stages:
    """Knows what was started. ``waiting_for``: what is being started now; empty when all is."""

    def __init__(self) -> None:
        self.waiting_for = "the configuration"
        self._stops: list[tuple[str, Stop]] = []

    @property
    def names(self) -> list[str]:
        """Return what is to be stopped, the first started first."""
        return [name for name, _ in self._stops]

    async def begin(self, name: str, start: Awaitable[object], stop: Stop) -> None:
        """Start a part. It is stopped as well if it fails half-way."""
        self.waiting_for = name
        self.add(name, stop)
        await start

    def add(self, name: str, stop: Stop) -> None:
        """Have a part stopped that starts by itself."""
        self._stops.append((name, stop))

    async def stop(self, within_s: float) -> None:
        """Stop all parts within a time; never raises."""
        deadline = SYSTEM_CLOCK.monotonic() + within_s
        while self._stops:
            name, stop = self._stops.pop()
            # One time for all: a part that hangs takes it from the others, but for a moment each.
            left = max(_LEAST_STOP_S, deadline - SYSTEM_CLOCK.monotonic())
            try:
                async with asyncio.timeout(left):
                    await stop()
            except TimeoutError:
                logger.warning("%s did not stop within %.1f s", name, left)
            except Exception:
                # The other parts still have to be stopped.
                logger.exception("%s did not stop as it should", name)
