"""Long-running work: started, named, watched and cancelled in one way."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Coroutine
from typing import Any

from mtd.core import log_fields
from mtd.core.metrics import TASK_FAILURES

logger = logging.getLogger(__name__)


class TaskGroup:
    """Named background tasks of one component.

    A task that raises is logged and counted, never lost. ``stop`` cancels what
    still runs and waits for it.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine in the background until it ends or ``stop`` is called.

        It goes on when the request that began it is answered: its lines in the log, and its spans, aren't of that.
        """
        context = contextvars.copy_context()
        context.run(log_fields.leave_request)
        task = asyncio.get_running_loop().create_task(
            coroutine, name=f"{self._owner}.{name}", context=context
        )
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            TASK_FAILURES.labels(task=self._owner).inc()
            logger.error("background task %s failed", task.get_name(), exc_info=error)

    async def stop(self) -> None:
        """Cancel all tasks and wait until they ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
