"""Tasks of others that are in a piece of work of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mtd.core.errors import Retryable


class Callers:
    """Knows who is inside, so that all can be sent away before what they use is gone."""

    def __init__(self) -> None:
        self._inside: set[asyncio.Task[Any]] = set()
        self._closed = False

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Count the running task among those inside. Raises Retryable once they were sent away."""
        if self._closed:
            raise Retryable("mtd is about to stop")
        task = asyncio.current_task()
        if task is not None:
            self._inside.add(task)
        try:
            yield
        finally:
            if task is not None:
                self._inside.discard(task)

    async def send_away(self, timeout_s: float) -> None:
        """Cancel those who are inside, and wait so long until they are gone. Nobody gets in any more."""
        self._closed = True
        tasks = set(self._inside)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)
