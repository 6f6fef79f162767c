"""What every store of leases must do, whatever it is made of.

A store's tests subclass :class:`LeaseSuite` and :class:`LeaseMachine`, say how a
store is made, and how its time passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from zope.interface.verify import verifyObject

from mtd.coordination.interfaces import ILeaseStore
from mtd.core.errors import LeaseLost
from mtd.model.assignment import Lease
from mtd.testing import run_async


class LeaseStores:
    """Makes a store, and lets its time pass. ``ttl_s``: of leases in these tests."""

    ttl_s: ClassVar[float] = 100.0

    async def new_store(self) -> ILeaseStore:
        """Return a store that is started and empty."""
        raise NotImplementedError

    async def pass_time(self, seconds: float) -> None:
        """Let the store's clock go on by so much; whoever can't do that sleeps."""
        await asyncio.sleep(seconds)


class LeaseSuite(LeaseStores):
    """The tests."""

    def run(self, body: Callable[[ILeaseStore], Awaitable[None]]) -> None:
        """Run a test's body with a store."""

        async def main() -> None:
            store = await self.new_store()
            try:
                async with asyncio.timeout(20):
                    await body(store)
            finally:
                await store.stop()

        run_async(main())

    def test_provides_the_interface(self) -> None:
        async def body(store: ILeaseStore) -> None:
            verifyObject(ILeaseStore, store)

        self.run(body)

    def test_one_holder_at_a_time(self) -> None:
        async def body(store: ILeaseStore) -> None:
            lease = await self.taken(store, "one", "a")
            assert await store.acquire("one", "b", self.ttl_s) is None
            assert await store.acquire("other", "b", self.ttl_s) is not None
            state = await store.read("one")
            assert (state.name, state.holder, state.epoch) == ("one", "a", lease.epoch)
            assert 0 < state.left_s <= self.ttl_s

        self.run(body)

    def test_a_holder_may_ask_again(self) -> None:
        async def body(store: ILeaseStore) -> None:
            first = await self.taken(store, "one", "a")
            await self.pass_time(0.6 * self.ttl_s)
            again = await self.taken(store, "one", "a")
            assert again.epoch == first.epoch
            await self.pass_time(0.6 * self.ttl_s)
            assert await store.acquire("one", "b", self.ttl_s) is None

        self.run(body)

    def test_what_is_over_may_be_taken_with_a_higher_epoch(self) -> None:
        async def body(store: ILeaseStore) -> None:
            first = await self.taken(store, "one", "a")
            await self.pass_time(1.1 * self.ttl_s)
            assert (await store.read("one")).left_s == 0
            second = await self.taken(store, "one", "b")
            assert second.epoch > first.epoch
            await self.pass_time(1.1 * self.ttl_s)
            third = await self.taken(store, "one", "b")
            assert third.epoch > second.epoch  # it had none for a while

        self.run(body)

    def test_a_renewed_lease_goes_on(self) -> None:
        async def body(store: ILeaseStore) -> None:
            lease = await self.taken(store, "one", "a")
            for _ in range(3):
                await self.pass_time(0.6 * self.ttl_s)
                renewed = await store.renew(lease, self.ttl_s)
                assert (renewed.name, renewed.holder, renewed.epoch) == ("one", "a", lease.epoch)
                assert renewed.good_until >= lease.good_until
                lease = renewed
            assert await store.acquire("one", "b", self.ttl_s) is None

        self.run(body)

    def test_what_was_taken_is_lost(self) -> None:
        async def body(store: ILeaseStore) -> None:
            lease = await self.taken(store, "one", "a")
            await self.pass_time(1.1 * self.ttl_s)
            taken = await self.taken(store, "one", "b")
            with pytest.raises(LeaseLost):
                await store.renew(lease, self.ttl_s)
            await store.release(lease)  # which is nobody's any more: nothing happens
            assert (await store.read("one")).holder == "b"
            assert (await store.renew(taken, self.ttl_s)).epoch == taken.epoch

        self.run(body)

    def test_what_is_over_and_was_not_taken_goes_on(self) -> None:
        async def body(store: ILeaseStore) -> None:
            lease = await self.taken(store, "one", "a")
            await self.pass_time(1.1 * self.ttl_s)
            assert (await store.renew(lease, self.ttl_s)).epoch == lease.epoch
            assert await store.acquire("one", "b", self.ttl_s) is None

        self.run(body)

    def test_a_released_lease_is_free_at_once(self) -> None:
        async def body(store: ILeaseStore) -> None:
            lease = await self.taken(store, "one", "a")
            await store.release(lease)
            assert (await store.read("one")).left_s == 0
            with pytest.raises(LeaseLost):
                await store.renew(lease, self.ttl_s)
            assert (await self.taken(store, "one", "b")).epoch > lease.epoch

        self.run(body)

    def test_an_epoch_of_before_is_lost(self) -> None:
        async def body(store: ILeaseStore) -> None:
            first = await self.taken(store, "one", "a")
            await store.release(first)
            second = await self.taken(store, "one", "a")
            assert second.epoch > first.epoch
            with pytest.raises(LeaseLost):
                await store.renew(first, self.ttl_s)
            await store.release(first)
            assert await store.acquire("one", "b", self.ttl_s) is None

        self.run(body)

    def test_what_nobody_held(self) -> None:
        async def body(store: ILeaseStore) -> None:
            assert await store.read("one") is None
            assert list(await store.list("")) == []
            with pytest.raises(LeaseLost):
                await store.renew(Lease("one", "a", 1, 0.0), self.ttl_s)
            await store.release(Lease("one", "a", 1, 0.0))

        self.run(body)

    def test_lists_by_name(self) -> None:
        async def body(store: ILeaseStore) -> None:
            for name in ("collector/b", "collector/a", "coordinator", "collector%", "collector/a/1"):
                await self.taken(store, name, "x")
            names = [state.name for state in await store.list("collector/")]
            assert names == ["collector/a", "collector/a/1", "collector/b"]
            assert [state.name for state in await store.list("coordinator")] == ["coordinator"]
            assert all(state.left_s > 0 for state in await store.list(""))

        self.run(body)

    def test_of_many_who_ask_at_once_one_gets_it(self) -> None:
        async def body(store: ILeaseStore) -> None:
            asked = [store.acquire("one", f"holder-{number}", self.ttl_s) for number in range(8)]
            leases = [lease for lease in await asyncio.gather(*asked) if lease is not None]
            assert len(leases) == 1
            assert (await store.read("one")).holder == leases[0].holder

        self.run(body)

    async def taken(self, store: ILeaseStore, name: str, holder: str) -> Lease:
        """Return a lease that has to be free."""
        lease: Lease | None = await store.acquire(name, holder, self.ttl_s)
        assert lease is not None
        return lease


@dataclass
class Held:
    """A lease in the model."""

    holder: str
    epoch: int
    ends: float
    released: bool = False


HOLDER = st.sampled_from(["a", "b", "c"])
NAME = st.sampled_from(["one", "two"])


class LeaseMachine(LeaseStores, RuleBasedStateMachine):
    """Random histories of several holders and a clock that moves, each step compared with a model.

    Passed times never add up to about ``ttl_s``: the time that a test takes itself doesn't matter.
    """

    def __init__(self) -> None:
        super().__init__()
        self.store = run_async(self.new_store())
        self.now = 0.0
        self.model: dict[str, Held] = {}
        self.leases: list[tuple[Lease, float]] = []  # and until when its holder believes in it

    def teardown(self) -> None:
        run_async(self.store.stop())

    @rule(part=st.sampled_from([0.3, 0.75, 1.1]))
    def time_passes(self, part: float) -> None:
        run_async(self.pass_time(part * self.ttl_s))
        self.now += part * self.ttl_s

    @rule(name=NAME, holder=HOLDER)
    def acquire(self, name: str, holder: str) -> None:
        lease = run_async(self.store.acquire(name, holder, self.ttl_s))
        held = self.model.get(name)
        good = held is not None and held.ends > self.now
        if held is not None and good and held.holder != holder:
            assert lease is None
            return
        assert lease is not None
        if held is not None:
            assert lease.epoch == held.epoch if good else lease.epoch > held.epoch
        self.model[name] = Held(holder, lease.epoch, self.now + self.ttl_s)
        self.leases.append((lease, self.now + self.ttl_s))

    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        if not self.leases:
            return
        at = data.draw(st.integers(0, len(self.leases) - 1))
        lease, _ = self.leases[at]
        held = self.model[lease.name]
        if held.released or (held.holder, held.epoch) != (lease.holder, lease.epoch):
            with pytest.raises(LeaseLost):
                run_async(self.store.renew(lease, self.ttl_s))
            return
        renewed = run_async(self.store.renew(lease, self.ttl_s))
        assert renewed.epoch == lease.epoch
        held.ends = self.now + self.ttl_s
        self.leases[at] = (renewed, held.ends)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if not self.leases:
            return
        lease, _ = self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))
        run_async(self.store.release(lease))
        held = self.model[lease.name]
        if (held.holder, held.epoch) == (lease.holder, lease.epoch):
            held.ends, held.released = float("-inf"), True
            # The same holder may have asked twice: it has let go of both.
            self.leases = [
                (one, until)
                for one, until in self.leases
                if (one.name, one.holder, one.epoch) != (lease.name, lease.holder, lease.epoch)
            ]

    @invariant()
    def nobody_shares_a_lease(self) -> None:
        for name in ("one", "two"):
            believers = {
                lease.holder for lease, until in self.leases if lease.name == name and until > self.now
            }
            assert len(believers) <= 1, believers

    @invariant()
    def the_store_knows_who(self) -> None:
        for state in run_async(self.store.list("")):
            held = self.model[state.name]
            assert (state.holder, state.epoch) == (held.holder, held.epoch)
            assert (state.left_s > 0) == (held.ends > self.now)
