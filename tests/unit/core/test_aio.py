"""The bridge between Deferreds and coroutines."""

from __future__ import annotations

import asyncio

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure

from mtd.core.aio import as_deferred
from mtd.testing import run_async


def test_a_task_that_is_cancelled_shows_as_deferreds_are_cancelled() -> None:
    async def for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        for turns in (0, 1, 5):  # before it began, and after
            deferred = as_deferred(for_ever())
            for _ in range(turns):
                await asyncio.sleep(0)
            failures: list[Failure] = []
            deferred.addErrback(failures.append)
            deferred.cancel()
            while not failures:
                await asyncio.sleep(0)
            assert failures[0].check(CancelledError)

    run_async(main())
