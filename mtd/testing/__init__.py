"""Kit for tests: ours, and those of egg authors. The product never imports it.

Takes in coroutines, dictionaries and samples, gives out results and replies.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_async(coroutine: Coroutine[Any, Any, T], timeout_s: float = 20) -> T:
    """Run a coroutine on pytest-twisted's reactor; return its result, raise what it raised.

    The coroutine has both worlds: asyncio's running loop and Twisted's reactor.
    """
    import pytest_twisted
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred

    result: Deferred[T] = Deferred()

    async def bounded() -> T:
        async with asyncio.timeout(timeout_s):
            return await coroutine

    def start() -> None:
        Deferred.fromFuture(asyncio.ensure_future(bounded())).chainDeferred(result)

    # Not at once: the loop is current only inside its own callbacks.
    loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop  # type: ignore[attr-defined]
    loop.call_soon(start)
    value: T = pytest_twisted.blockon(result)
    return value
