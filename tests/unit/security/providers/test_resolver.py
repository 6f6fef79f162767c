"""What references stand for: fetched without holding anybody up, kept fresh, used on for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from zope.interface import implementer

from mtd.core.errors import Refused
from mtd.security.errors import SecretUnavailable
from mtd.security.interfaces import Fetched, ISecretProvider
from mtd.security.providers.config import ProvidersConfig
from mtd.security.providers.resolver import Pending, SecretResolver
from mtd.testing import run_async

TENANT, OTHER = "tenant-a", "tenant-b"
REFERENCE = "wallet:noc"


@implementer(ISecretProvider)
class Wallet:
    """A provider whose answers tests decide."""

    scheme = "wallet"

    def __init__(self) -> None:
        self.answer: str | Exception = "first"
        self.lifetime_s: float | None = None
        self.asked = 0
        self.under_way = 0
        self.most_under_way = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.stopped = False

    def check(self, tenant_id: str, path: str) -> None:
        if path == "forbidden":
            raise Refused("not for you")

    async def fetch(self, tenant_id: str, path: str) -> Fetched:
        self.asked += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return Fetched(f"{self.answer} of {tenant_id}", self.lifetime_s)

    async def stop(self) -> None:
        self.stopped = True


class Watch:
    """A clock that goes where it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def now_us(self) -> int:
        return int(self.now * 1e6)


class World:
    def __init__(self, **settings: Any) -> None:
        self.wallet, self.watch = Wallet(), Watch()
        self.config = ProvidersConfig(**{"look_s": 0.005, **settings})
        self.resolver = SecretResolver({"wallet": self.wallet}, self.config, clock=self.watch)
        self.told: list[tuple[str, str, str]] = []
        self.changes = 0
        self.resolver.troubled = lambda *what: self.told.append(what)
        self.resolver.listeners.add(self._changed)

    def _changed(self) -> None:
        self.changes += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.002)


def with_world(body: Callable[[World], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        world = World(**settings)
        world.resolver.start()
        try:
            await body(world)
        finally:
            await world.resolver.stop()
        assert world.wallet.stopped

    run_async(main())


def test_nobody_waits_and_who_listens_hears() -> None:
    async def body(world: World) -> None:
        world.wallet.gate.clear()
        assert isinstance(world.resolver.look(TENANT, REFERENCE), Pending)
        assert isinstance(world.resolver.look(TENANT, REFERENCE), Pending)
        world.wallet.gate.set()
        await world.until(lambda: world.changes == 1)
        assert world.resolver.look(TENANT, REFERENCE) == "first of tenant-a"
        assert world.wallet.asked == 1
        assert world.told == []

    with_world(body)


def test_who_waits_gets_it() -> None:
    async def body(world: World) -> None:
        assert await world.resolver.resolve(TENANT, REFERENCE) == "first of tenant-a"
        assert await world.resolver.resolve(OTHER, REFERENCE) == "first of tenant-b"
        world.wallet.answer = SecretUnavailable("away")
        with pytest.raises(SecretUnavailable, match="wallet:other: away"):
            await world.resolver.resolve(TENANT, "wallet:other")

    with_world(body)


def test_a_change_is_noticed_and_no_change_is_no_change() -> None:
    async def body(world: World) -> None:
        await world.resolver.resolve(TENANT, REFERENCE)
        before = world.changes
        world.watch.now += world.config.refresh_s + 1
        await world.until(lambda: world.wallet.asked == 2)
        world.wallet.answer = "second"
        world.watch.now += world.config.refresh_s + 1
        await world.until(lambda: world.resolver.look(TENANT, REFERENCE) == "second of tenant-a")
        assert world.changes == before + 1

    with_world(body)


def test_the_providers_word_on_how_long_it_is_good_counts() -> None:
    async def body(world: World) -> None:
        world.wallet.lifetime_s = 30.0
        await world.resolver.resolve(TENANT, REFERENCE)
        world.watch.now += 29
        await asyncio.sleep(0.03)
        assert world.wallet.asked == 1
        world.watch.now += 2
        await world.until(lambda: world.wallet.asked == 2)

    with_world(body, retry_s=1.0)


def test_what_it_was_goes_on_being_used_for_a_while() -> None:
    async def body(world: World) -> None:
        await world.resolver.resolve(TENANT, REFERENCE)
        world.wallet.answer = SecretUnavailable("sealed")
        world.watch.now += world.config.refresh_s + 1
        await world.until(lambda: len(world.told) == 1)
        assert world.told == [(TENANT, REFERENCE, "wallet:noc: sealed")]
        assert world.resolver.look(TENANT, REFERENCE) == "first of tenant-a"
        # Tried again and again, told once.
        asked = world.wallet.asked
        world.watch.now += world.config.retry_s + 1
        await world.until(lambda: world.wallet.asked == asked + 1)
        assert len(world.told) == 1
        # Too old: not used any more.
        world.watch.now += world.config.stale_s
        await world.until(lambda: isinstance(world.resolver.look(TENANT, REFERENCE), SecretUnavailable))
        assert "isn't used any more" in str(world.resolver.look(TENANT, REFERENCE))
        world.wallet.answer = "back"
        world.watch.now += world.config.retry_s + 1
        await world.until(lambda: world.resolver.look(TENANT, REFERENCE) == "back of tenant-a")
        assert world.told[-1] == (TENANT, REFERENCE, "")
        assert len(world.told) == 2

    with_world(body)


def test_foreign_code_may_raise_anything_and_its_words_are_not_repeated(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body(world: World) -> None:
        world.wallet.answer = ValueError("could not parse hunter2")
        with pytest.raises(SecretUnavailable, match="failed with ValueError") as refused:
            await world.resolver.resolve(TENANT, REFERENCE)
        assert "hunter2" not in str(refused.value) + caplog.text

    with_world(body)


def test_what_hangs_is_left_and_only_so_many_are_asked_at_a_time() -> None:
    async def body(world: World) -> None:
        world.wallet.gate.clear()
        waiting = [world.resolver.resolve(TENANT, f"wallet:{number}") for number in range(9)]
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(one, SecretUnavailable) for one in found)
        assert {"no answer within" in str(one) for one in found} == {True}
        assert world.wallet.most_under_way <= 3

    with_world(body, timeout_s=0.1, at_once=3)


def test_what_nobody_uses_is_forgotten_and_there_are_only_so_many() -> None:
    async def body(world: World) -> None:
        for number in range(3):
            await world.resolver.resolve(TENANT, f"wallet:{number}")
        with pytest.raises(SecretUnavailable, match="most_references"):
            await world.resolver.resolve(TENANT, "wallet:one-too-many")
        await world.resolver.resolve("another", "wallet:theirs")  # who has its own share
        world.resolver.keep({(TENANT, "wallet:1")})
        asked = world.wallet.asked
        world.watch.now += world.config.refresh_s + 1
        await world.until(lambda: world.wallet.asked == asked + 1)
        await world.resolver.resolve(TENANT, "wallet:another")

    with_world(body, most_references=6)


def test_references_that_nobody_serves_are_refused() -> None:
    async def body(world: World) -> None:
        for reference, reason in (
            ("purse:x", "'purse' is no provider"),
            ("plain", "is no provider"),
            ("wallet:forbidden", "not for you"),
        ):
            with pytest.raises(Refused, match=reason):
                world.resolver.check(TENANT, reference)
            with pytest.raises(SecretUnavailable, match=reason):
                await world.resolver.resolve(TENANT, reference)
        world.resolver.check(TENANT, REFERENCE)
        assert world.wallet.asked == 0

    with_world(body)


def test_no_secret_in_a_repr() -> None:
    async def body(world: World) -> None:
        await world.resolver.resolve(TENANT, REFERENCE)
        kept = world.resolver._kept[TENANT, REFERENCE]
        assert "first" not in repr(kept) + repr(world.resolver) + repr(Fetched("first"))

    with_world(body)
