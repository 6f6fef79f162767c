"""Leases in memory."""

from __future__ import annotations

from hypothesis import settings

from mtd.coordination.interfaces import ILeaseStore
from mtd.coordination.memory import MemoryLeaseStore
from tests.contract.lease_suite import LeaseMachine, LeaseStores, LeaseSuite


class HandClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def now_us(self) -> int:
        return int(self.now * 1e6)

    def monotonic(self) -> float:
        return self.now


class InMemory(LeaseStores):
    """Stores whose time is a number."""

    clock: HandClock

    async def new_store(self) -> ILeaseStore:
        self.clock = HandClock()
        return MemoryLeaseStore(self.clock)

    async def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds


class TestMemoryLeases(InMemory, LeaseSuite):
    """The suite."""


class MemoryLeaseMachine(InMemory, LeaseMachine):
    """Random histories."""


TestMemoryLeaseHistories = MemoryLeaseMachine.TestCase
TestMemoryLeaseHistories.settings = settings(max_examples=20, stateful_step_count=20, deadline=None)
