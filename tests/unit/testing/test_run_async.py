from __future__ import annotations

import asyncio
from typing import Any

import pytest
from twisted.internet import task

from mtd.core.aio import as_future
from mtd.testing import run_async


def the_reactor() -> Any:
    from twisted.internet import reactor

    return reactor


async def slept(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "slept"


def test_it_returns_what_the_coroutine_returns() -> None:
    assert run_async(slept(0.001)) == "slept"


def test_it_raises_what_the_coroutine_raises() -> None:
    async def fail() -> None:
        await slept(0)
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        run_async(fail())


def test_it_ends_in_time() -> None:
    with pytest.raises(TimeoutError):
        run_async(slept(60), timeout_s=0.01)


def test_the_coroutine_has_twisted_and_asyncio_on_one_loop() -> None:
    async def both() -> tuple[bool, str]:
        deferred = task.deferLater(the_reactor(), 0.001, lambda: "called")
        called = await as_future(deferred)
        return asyncio.get_running_loop() is the_reactor()._asyncioEventloop, called

    assert run_async(both()) == (True, "called")


def test_callbacks_that_wait_are_run_once_each() -> None:
    called: list[int] = []
    loop = the_reactor()._asyncioEventloop
    for number in range(5):
        loop.call_soon(called.append, number)
    run_async(slept(0.001))
    run_async(slept(0.001))
    assert called == [0, 1, 2, 3, 4]
