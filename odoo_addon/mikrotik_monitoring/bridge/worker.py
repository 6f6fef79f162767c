"""Threads for what blocks: Odoo's work."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Worker:
    """One thread; calls wait for each other. Knows how long the call under way lasts."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._since: float | None = None

    async def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function there, and wait. A caller that is cancelled does not end the call."""
        return await asyncio.get_running_loop().run_in_executor(
            self._executor, self._run, function, arguments
        )

    def _run(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        self._since = time.monotonic()
        try:
            return function(*arguments)
        finally:
            self._since = None

    @property
    def busy_s(self) -> float:
        """Return how long the call under way lasts already; 0 if there is none."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def close(self) -> None:
        """Take no more calls."""
        self._executor.shutdown(wait=False, cancel_futures=True)
