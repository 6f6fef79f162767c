"""Answers that are kept, and turns of tenants."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from mtd.core.errors import Refused
from mtd.queries.cache import AnswerCache
from mtd.queries.config import QueriesConfig
from mtd.queries.errors import TooManyQueries
from mtd.queries.limits import TenantLimits
from mtd.testing import run_async


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def now_us(self) -> int:
        return round(self.now * 1e6)


class Reads:
    def __init__(self) -> None:
        self.count = 0
        self.wait: asyncio.Event | None = None
        self.fails = False

    async def __call__(self) -> int:
        self.count += 1
        if self.wait is not None:
            await self.wait.wait()
        if self.fails:
            raise Refused("no")
        return self.count


def test_an_answer_is_kept_with_its_age() -> None:
    async def main() -> None:
        clock, read = Clock(), Reads()
        cache = AnswerCache(10, clock)
        assert (await cache.get("t", "a", 10, read)).age_s == 0
        clock.now = 9.5
        aged = await cache.get("t", "a", 10, read)
        assert (aged.value, aged.age_s) == (1, 9.5)
        assert (await cache.get("other", "a", 10, read)).value == 2, "a tenant sees its own only"
        clock.now = 10.0
        assert (await cache.get("t", "a", 10, read)).value == 3

    run_async(main())


def test_those_who_wait_share_one_read_and_one_of_them_may_leave() -> None:
    async def main() -> None:
        cache, read = AnswerCache(10, Clock()), Reads()
        read.wait = asyncio.Event()
        first, second = (asyncio.ensure_future(cache.get("t", "a", 10, read)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        read.wait.set()
        assert (await second).value == 1
        assert read.count == 1

    run_async(main())


def test_a_failure_is_not_kept() -> None:
    async def main() -> None:
        cache, read = AnswerCache(10, Clock()), Reads()
        read.fails = True
        with pytest.raises(Refused):
            await cache.get("t", "a", 10, read)
        read.fails = False
        assert (await cache.get("t", "a", 10, read)).value == 2

    run_async(main())


def test_the_cache_has_a_bound() -> None:
    async def main() -> None:
        cache, read = AnswerCache(3, Clock()), Reads()
        for number in range(10):
            await cache.get("t", number, 10, read)
        assert len(cache) == 3
        assert (await cache.get("t", 9, 10, read)).value == 10
        assert (await cache.get("t", 0, 10, read)).value == 11

    run_async(main())


def test_turns_are_of_each_tenant() -> None:
    async def main() -> None:
        limits = TenantLimits(QueriesConfig(max_concurrent=1, max_waiting=0))
        async with limits.turn("one"):
            async with limits.turn("other"):
                pass
            with pytest.raises(TooManyQueries, match="1 queries of this tenant run and 0 wait"):
                async with limits.turn("one"):
                    pass
        async with limits.turn("one"):
            pass

    run_async(main())


def test_a_read_is_cancelled_when_the_last_who_waits_leaves() -> None:
    async def main() -> None:
        cache, read = AnswerCache(10, Clock()), Reads()
        ended: list[str] = []

        async def slow() -> int:
            try:
                return await read()
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

        read.wait = asyncio.Event()
        waiters = [asyncio.ensure_future(cache.get("t", "a", 10, slow)) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waiters[0].cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not ended
        waiters[1].cancel()
        await asyncio.sleep(0)
        # Who asks before it has ended isn't drawn along.
        third = asyncio.ensure_future(cache.get("t", "a", 10, slow))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert ended == ["cancelled"]
        read.wait.set()
        assert (await third).value == 2

    run_async(main())


def test_the_cache_is_bounded_by_bytes() -> None:
    async def main() -> None:
        cache = AnswerCache(1000, Clock(), most_bytes=100_000)

        def page(size: int) -> Callable[[], Awaitable[bytes]]:
            async def read() -> bytes:
                return bytes(size)

            return read

        for number in range(100):
            await cache.get("t", number, 10, page(10_000))
            assert cache.size_bytes <= 100_000
        assert len(cache) == 9
        await cache.get("t", "large", 10, page(20_000))
        assert len(cache) == 9, "what is large isn't kept"

    run_async(main())


def test_what_is_too_old_is_dropped() -> None:
    async def main() -> None:
        clock, read = Clock(), Reads()
        cache = AnswerCache(10, clock)
        await cache.get("t", "long", 60, read)
        await cache.get("t", "short", 10, read)
        clock.now = 11.0
        await cache.get("t", "other", 10, read)
        assert len(cache) == 2
        clock.now = 100.0
        await cache.get("t", "other", 10, read)
        assert len(cache) == 1
        assert cache.size_bytes < 2000

    run_async(main())
