"""Who decides, with a store that does as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import pytest

from mtd.coordination.config import CoordinationConfig
from mtd.coordination.coordinator import Coordinator
from mtd.coordination.memory import MemoryLeaseStore
from mtd.coordination.service import COORDINATOR, lease_name
from mtd.core.errors import Conflict
from mtd.model.assignment import Lease
from mtd.model.tenant import NO_TENANT_ID
from mtd.storage.errors import StorageUnavailable
from mtd.storage.stores.assignments import Picture
from mtd.storage.stores.memberships import OFFLINE, ONLINE, MemberRow
from mtd.testing import run_async

LONG = CoordinationConfig(lease_s=120.0, renew_s=0.1, check_s=0.02)
"""A lease that no test waits for."""


class Store:
    """See `AssignmentStore`. ``conflicts``: how many commits come too late."""

    def __init__(self) -> None:
        self.members: dict[str, MemberRow] = {}
        self.conflicts = 0
        self.terms: list[float | None] = []
        self.in_term: Callable[[], Awaitable[object]] | None = None
        self.pictures = 0

    def join(self, name: str) -> None:
        self.members[name] = _member(name, ONLINE)

    async def begin_term(self, coordinator: str, deadline_s: float | None = None) -> int:
        self.terms.append(deadline_s)
        if self.in_term is not None:
            await self.in_term()
        return len(self.terms)

    async def picture(self) -> Picture:
        self.pictures += 1
        return Picture(1, [], dict(self.members), {}, {}, frozenset(), [])

    async def commit(self, term: int, picture: Picture, changes: Any, gone: Collection[str]) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("assignments changed meanwhile")
        for name in gone:
            self.members[name] = _member(name, OFFLINE)


def _member(name: str, state: str) -> MemberRow:
    return MemberRow(NO_TENANT_ID, name, name, name, 1, "1.0", False, None, state, 0, 0)


class Failing(MemoryLeaseStore):
    """Leases of which some can't be taken."""

    fails = ""

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease | None:
        if name == self.fails:
            raise StorageUnavailable("the lease store can't be asked")
        return await super().acquire(name, holder, ttl_s)


def with_coordinator(body: Callable[[Coordinator, Store, Failing], Awaitable[None]]) -> None:
    async def main() -> None:
        leases, store = Failing(), Store()
        given: Any = store
        coordinator = Coordinator(leases, given, LONG, ("hub", "1"))
        try:
            await body(coordinator, store, leases)
        finally:
            await coordinator.stop()

    run_async(main())


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


def test_who_lost_its_lease_while_its_term_began_decides_nothing() -> None:
    async def body(coordinator: Coordinator, store: Store, leases: Failing) -> None:
        async def lose() -> None:
            state = await leases.read(COORDINATOR)
            assert state is not None
            await leases.release(Lease(COORDINATOR, state.holder, state.epoch, 0.0))
            assert await leases.acquire(COORDINATOR, "another/1", 600.0)

        store.in_term = lose
        await coordinator.start()
        await until(lambda: store.terms and coordinator._lease is None)
        assert store.pictures == 0
        assert len(store.terms) == 1, "the other one leads"

    with_coordinator(body)


def test_a_term_is_begun_sooner_than_a_lease_is_over() -> None:
    async def body(coordinator: Coordinator, store: Store, leases: Failing) -> None:
        await coordinator.start()
        await until(lambda: coordinator.standing.active)
        (deadline_s,) = store.terms
        assert deadline_s is not None
        assert deadline_s < LONG.lease_s

    with_coordinator(body)


def test_who_is_gone_is_gone_at_once_though_something_else_changed_meanwhile() -> None:
    """Not by a whole lease later: its lease was taken, and let go, by who decides."""

    async def body(coordinator: Coordinator, store: Store, leases: Failing) -> None:
        await leases.acquire(lease_name("a"), "a/1", 2.0)  # seen while it is good, however slow the machine
        store.join("a")
        store.conflicts = 1
        await coordinator.start()
        await until(lambda: store.members["a"].state == OFFLINE)
        assert store.conflicts == 0

    with_coordinator(body)


def test_what_was_taken_is_given_back_if_the_rest_cant_be_taken() -> None:
    async def body(coordinator: Coordinator, store: Store, leases: Failing) -> None:
        leases.fails = lease_name("b")
        with pytest.raises(StorageUnavailable):
            await coordinator._take(["a", "b"])
        assert await leases.acquire(lease_name("a"), "a/2", 1.0)

    with_coordinator(body)
