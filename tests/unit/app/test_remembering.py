"""What is remembered is never older than what was told."""

from __future__ import annotations

import asyncio

from mtd.app.remembering import Remembered
from mtd.testing import run_async
from mtd.testing.contract import FakeClock


class Source:
    """Gives the number of times that it was read."""

    def __init__(self) -> None:
        self.reads = 0
        self.go = asyncio.Event()
        self.go.set()

    async def read(self) -> int:
        self.reads += 1
        value = self.reads
        await self.go.wait()
        return value


def test_it_is_read_again_when_it_is_old_or_forgotten() -> None:
    async def main() -> None:
        clock, source = FakeClock(), Source()
        kept: Remembered[str, int] = Remembered(5, 10, clock)
        assert kept.peek("a") is None
        assert [await kept.get("a", source.read) for _ in range(3)] == [1, 1, 1]
        clock.at += 5
        assert kept.peek("a") is None
        assert await kept.get("a", source.read) == 2
        kept.forget()
        assert await kept.get("a", source.read) == 3
        kept.drop("a")
        assert await kept.get("a", source.read) == 4

    run_async(main())


def test_what_changed_while_it_was_read_isnt_kept() -> None:
    async def main() -> None:
        source = Source()
        kept: Remembered[str, int] = Remembered(5, 10, FakeClock())
        source.go.clear()
        reading = asyncio.ensure_future(kept.get("a", source.read))
        await asyncio.sleep(0)
        kept.forget()  # told before the read came back
        source.go.set()
        assert await reading == 1
        assert kept.peek("a") is None

    run_async(main())


def test_it_keeps_so_many_and_no_absence() -> None:
    async def main() -> None:
        kept: Remembered[str, int | None] = Remembered(5, 2, FakeClock())

        async def number() -> int | None:
            return 7

        async def nothing() -> int | None:
            return None

        for key in "abc":
            await kept.get(key, number)
        assert [kept.peek(key) for key in "abc"] == [None, 7, 7]
        assert await kept.get("d", nothing) is None
        assert kept.peek("b") == 7

    run_async(main())
