"""The only bridge between Deferreds and coroutines.

The process runs one loop: asyncio's, driven by Twisted's AsyncioSelectorReactor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


def as_future(deferred: Deferred[T]) -> asyncio.Future[T]:
    """Let a coroutine on asyncio's loop await a Deferred."""
    return deferred.asFuture(asyncio.get_running_loop())


def as_deferred(coroutine: Coroutine[Any, Any, T]) -> Deferred[T]:
    """Run a coroutine as a task and return a Deferred of its result; cancelling it cancels the task."""
    deferred = Deferred.fromFuture(asyncio.ensure_future(coroutine))
    return deferred.addErrback(_cancelled_as_twisted)


def _cancelled_as_twisted(failure: Failure) -> Failure:
    """Return asyncio's cancellation as the one that those who wait for Deferreds know."""
    return Failure(CancelledError()) if failure.check(asyncio.CancelledError) else failure


def install_reactor() -> None:
    """Install the asyncio reactor, or fail loudly if another one is in.

    ``twistd`` without ``--reactor`` has not imported a reactor yet when our
    options are parsed, but the default would be epoll: no gRPC on that.
    """
    import sys

    from mtd.core.errors import Misconfigured

    installed = sys.modules.get("twisted.internet.reactor")
    if installed is None:
        from twisted.internet import asyncioreactor

        loop = _new_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)
    elif type(installed).__name__ != "AsyncioSelectorReactor":
        raise Misconfigured(
            f"mtd needs the asyncio reactor, but {type(installed).__name__} is installed already. "
            "Start it with `mtd run`, or with `twistd --reactor=asyncio mtd`."
        )


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return a loop of uvloop where it is installed: timers and tasks cost half."""
    try:
        import uvloop
    except ModuleNotFoundError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
