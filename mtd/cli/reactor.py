"""Running asynchronous work in a command."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from mtd.core.aio import as_deferred, install_reactor

R = TypeVar("R")


def run_on_reactor(work: Coroutine[Any, Any, R]) -> R | None:
    """Run a coroutine on a reactor of its own; return its result, raise what it raised. None after Ctrl-C."""
    install_reactor()
    from twisted.internet import reactor

    tasks: list[asyncio.Task[R]] = []

    async def run() -> None:
        task = asyncio.ensure_future(work)
        tasks.append(task)
        trigger = reactor.addSystemEventTrigger("before", "shutdown", lambda: as_deferred(_cancelled(task)))
        await asyncio.wait([task])
        if not stopping:
            reactor.removeSystemEventTrigger(trigger)
            reactor.stop()

    stopping: list[bool] = []
    reactor.addSystemEventTrigger("before", "shutdown", lambda: stopping.append(True))
    reactor.callWhenRunning(lambda: as_deferred(run()))
    reactor.run()
    task = tasks[0]
    return None if task.cancelled() else task.result()


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task, and wait until it has put everything away."""
    task.cancel()
    await asyncio.wait([task])
