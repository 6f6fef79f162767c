"""Answers to informs: they wait until the log has what was told on its disk, for their senders forget it then."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mtd.core.queues import Policy, declare
from mtd.listeners.traps import metrics

if TYPE_CHECKING:
    from mtd.core.service import TaskGroup

_MOST = 1000
# So long the recorder gathers, too: those that wait have it write no more often than it does by itself.
_GATHER_S = 0.1

WAITING = declare(
    "traps.answers",
    "answers",
    Policy.DROP_NEWEST,
    "Answers to informs that wait until the log has on its disk what these tell.",
    limited_by="1,000",
    counted_by="mtd_traps_unanswered_total",
)


class Answers:
    """Answers of informs that were recorded. Bound: a thousand; policy: the newest isn't sent, and its inform comes again.

    ``flush`` returns when all that was recorded before is durable, or was given up. All that wait share one.
    ``send`` returns whether the kernel took an answer.
    """

    def __init__(
        self, flush: Callable[[], Awaitable[None]], send: Callable[[bytes, Any], bool], tasks: TaskGroup
    ) -> None:
        self._flush = flush
        self._send = send
        self._tasks = tasks
        self._waiting: deque[tuple[bytes, Any]] = deque()
        self._is_flushing = False
        self._is_stopped = False
        WAITING.watch(self, lambda one: len(one._waiting), lambda _: _MOST)

    def add(self, answer: bytes, peer: Any) -> None:
        """Send an answer once what was recorded up to now is durable."""
        if self._is_stopped or len(self._waiting) >= _MOST:
            metrics.UNANSWERED.inc()
            return
        self._waiting.append((answer, peer))
        if not self._is_flushing:
            self._is_flushing = True
            self._tasks.spawn("answers", self._send_regularly())

    def stop(self) -> None:
        """Send none from now on, and count those that wait: their senders ask again."""
        self._is_stopped = True
        metrics.UNANSWERED.inc(len(self._waiting))
        self._waiting.clear()

    async def _send_regularly(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_GATHER_S)
                count = len(self._waiting)
                await self._flush()
                for _ in range(min(count, len(self._waiting))):
                    sent = self._send(*self._waiting.popleft())
                    (metrics.ANSWERED if sent else metrics.UNANSWERED).inc()
        finally:
            self._is_flushing = False
