"""How old the oldest event is that the hub doesn't have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mtd.core.errors import MtdError

if TYPE_CHECKING:
    from mtd.core.clock import Clock
    from mtd.forwarding.marks import Marks


class Ages:
    """Knows it of what is new by heart; what is older is looked up in the log, now and then."""

    def __init__(self, log: Any, marks: Marks, clock: Clock) -> None:
        self._log = log
        self._marks = marks
        self._clock = clock
        self._position = 0
        self._appended_us = 0

    async def look(self, position: int, last: int) -> None:
        """Have the age of what stands at a position."""
        if position > last or position == self._position or self._marks.since(position) is not None:
            return
        try:
            batches = await self._log.read(position - 1, 1)
        except MtdError:
            return  # it is told where it matters; the age of before is near enough
        if batches:
            self._position, self._appended_us = position, batches[0].appended_us

    def seconds(self, position: int, last: int) -> float:
        """Return the age of what stands at a position; 0 if nothing does yet."""
        if position > last:
            return 0.0
        since = self._marks.since(position)
        if since is not None:
            return max(0.0, self._clock.monotonic() - since)
        if not self._appended_us:
            return 0.0
        return max(0.0, (self._clock.now_us() - self._appended_us) / 1e6)
