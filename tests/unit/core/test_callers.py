"""Those who are inside are sent away before what they use is gone."""

from __future__ import annotations

import asyncio

import pytest

from mtd.core.callers import Callers
from mtd.core.errors import Retryable
from mtd.testing import run_async


def test_those_inside_are_cancelled_and_waited_for() -> None:
    async def main() -> None:
        callers, left = Callers(), []
        entered = asyncio.Event()

        async def visit() -> None:
            with callers.inside():
                entered.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    await asyncio.sleep(0)
                    left.append("left")

        task = asyncio.ensure_future(visit())
        await entered.wait()
        await callers.send_away(20.0)
        assert left == ["left"]
        assert task.cancelled()
        with pytest.raises(Retryable), callers.inside():
            pass

    run_async(main())


def test_who_left_is_left_alone() -> None:
    async def main() -> None:
        callers = Callers()
        with callers.inside():
            pass
        await callers.send_away(20.0)  # which would cancel this test

    run_async(main())


def test_who_does_not_go_is_not_waited_for_without_end() -> None:
    async def main() -> None:
        callers, free = Callers(), asyncio.Event()

        async def stubborn() -> None:
            with callers.inside():
                while not free.is_set():
                    try:
                        await free.wait()
                    except asyncio.CancelledError:
                        continue

        task = asyncio.ensure_future(stubborn())
        await asyncio.sleep(0)
        await callers.send_away(0.05)
        assert not task.done()
        free.set()
        await task

    run_async(main())
