from __future__ import annotations

import asyncio

import pytest

from mtd.core.errors import Retryable
from mtd.core.service import TaskGroup
from mtd.core.shared import Shared
from mtd.testing import run_async


class Calls:
    """Counts calls, which end when they are told to."""

    def __init__(self) -> None:
        self.tasks = TaskGroup("test")
        self.shared: Shared[int] = Shared("call", self.tasks)
        self.gate = asyncio.Event()
        self.made = self.ended = 0
        self.error: Exception | None = None

    async def call(self) -> int:
        self.made += 1
        try:
            await self.gate.wait()
            if self.error is not None:
                raise self.error
            return self.made
        finally:
            self.ended += 1

    def ask(self, key: str = "a") -> asyncio.Future[int]:
        return asyncio.ensure_future(self.shared.get(key, self.call))


def test_one_call_serves_all_who_ask_meanwhile() -> None:
    async def main() -> None:
        calls = Calls()
        asked = [calls.ask(), calls.ask(), calls.ask()]
        await asyncio.sleep(0)
        asked[0].cancel()  # one leaves
        calls.gate.set()
        assert await asyncio.gather(*asked[1:]) == [1, 1]
        assert await calls.ask() == 2
        assert await asyncio.gather(calls.ask("a"), calls.ask("b")) == [3, 4]

    run_async(main())


def test_all_hear_of_an_error_and_the_next_call_is_a_new_one() -> None:
    async def main() -> None:
        calls = Calls()
        calls.error = Retryable("away")
        calls.gate.set()
        found = await asyncio.gather(calls.ask(), calls.ask(), return_exceptions=True)
        assert [str(error) for error in found] == ["away", "away"]
        calls.error = None
        assert await calls.ask() == 2

    run_async(main())


def test_calls_end_with_their_owner() -> None:
    async def main() -> None:
        calls = Calls()
        asked = calls.ask()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await calls.tasks.stop()
        assert calls.ended == 1
        with pytest.raises(asyncio.CancelledError):
            await asked

    run_async(main())
