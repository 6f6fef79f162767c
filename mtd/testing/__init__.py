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

    For plain test functions. The coroutine has both worlds: asyncio's running
    loop, and Twisted's reactor on it.
    """
    from twisted.internet import reactor

    loop: asyncio.BaseEventLoop = reactor._asyncioEventloop  # type: ignore[attr-defined]
    if not loop.is_running():
        raise RuntimeError("run_async needs the reactor of pytest-twisted: run pytest with --reactor=asyncio")

    async def bounded() -> T:
        async with asyncio.timeout(timeout_s):
            return await coroutine

    task = loop.create_task(bounded())
    # pytest-twisted calls every test from within the loop, so the loop can only
    # go on if it is turned from here. The turn that we are called from counted
    # the callbacks it has to run: leave it as many as we took.
    turn = loop._run_once  # type: ignore[attr-defined]
    waiting = len(loop._ready)  # type: ignore[attr-defined]
    while not task.done():
        turn()
    for _ in range(waiting):
        loop.call_soon(_nothing)
    return task.result()


def _nothing() -> None:
    """Take the place of a callback that was run already."""
