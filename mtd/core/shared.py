"""Work that is done once for all who ask for it at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from mtd.core.errors import MtdError
from mtd.core.service import TaskGroup

T = TypeVar("T")


class Shared(Generic[T]):
    """Runs at most one call per key; who asks meanwhile gets what it gives. Callers may leave, the call goes on.

    ``tasks`` owns the calls, and ends them when it stops.
    """

    def __init__(self, name: str, tasks: TaskGroup) -> None:
        self._name = name
        self._tasks = tasks
        self._running: dict[Hashable, asyncio.Task[T | MtdError]] = {}

    async def get(self, key: Hashable, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return what the running call gives, or a new one. Raises what it raises."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = self._tasks.spawn(self._name, _outcome(make()))
            task.add_done_callback(lambda _: self._running.pop(key))
        outcome = await asyncio.shield(task)
        if isinstance(outcome, MtdError):
            raise outcome
        return outcome


async def _outcome(call: Coroutine[Any, Any, T]) -> T | MtdError:
    # Such an error is an answer for those who wait, not the failure of a task that somebody has to look at.
    try:
        return await call
    except MtdError as error:
        return error
