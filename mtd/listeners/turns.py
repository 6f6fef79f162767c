"""What waits in an inbox is looked at in turns of some milliseconds; others have the loop between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from mtd.listeners import metrics

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.listeners.udp import Inbox, Received

HELD_UP = 0.5
"""How full the recorder may be: what the log takes nothing of waits before it, since it would give up polls for it."""
LOOK_AGAIN_S = 0.05
"""While nobody tells when it is over."""

_TURN_S = 0.004
_HALF = 0.5
_DRAIN_S = 2.0


class Turns:
    """Takes out of an inbox, unless what comes after it is ``held_up``.

    ``at_once``: so many are taken before the clock is looked at. ``is_behind``: whether the kernel holds more than was taken
    from it: then that comes first, as it has less room.
    """

    def __init__(
        self,
        listener: str,
        inbox: Inbox,
        take: Callable[[Received], None],
        held_up: Callable[[], bool],
        clock: Clock,
        *,
        at_once: int = 1,
        is_behind: Callable[[], bool] = lambda: False,
    ) -> None:
        self._inbox = inbox
        self._take = take
        self._held_up = held_up
        self._clock = clock
        self._at_once = at_once
        self._is_behind = is_behind
        self._stopped = metrics.DROPPED.labels(listener=listener, reason="stopped")

    async def run(self) -> None:
        """Take what comes, for as long as this isn't cancelled."""
        while True:
            await self._inbox.filled.wait()
            if self._held_up():
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            if not (self._is_behind() and self._inbox.fill < _HALF):
                self._take_some()
            await asyncio.sleep(0)

    async def finish(self) -> None:
        """Take what is left; what there is no time for is counted."""
        deadline = self._clock.monotonic() + _DRAIN_S
        while self._inbox and self._clock.monotonic() < deadline:
            self._take_some()
            await asyncio.sleep(0)
        while self._inbox:
            self._inbox.take()
            self._stopped.inc()

    def _take_some(self) -> None:
        """Take for some milliseconds."""
        end = self._clock.monotonic() + _TURN_S
        while self._clock.monotonic() < end:
            for _ in range(self._at_once):
                if not self._inbox:
                    return
                self._take(self._inbox.take())
