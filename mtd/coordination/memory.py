"""Leases in memory: of one process, and for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zope.interface import implementer

from mtd.coordination.interfaces import ILeaseStore
from mtd.core.clock import LEASE_CLOCK, Clock
from mtd.core.errors import LeaseLost
from mtd.model.assignment import Lease, LeaseState


@dataclass(slots=True)
class _Held:
    holder: str
    epoch: int
    ends: float
    released: bool = False


@implementer(ILeaseStore)
class MemoryLeaseStore:
    """See `ILeaseStore`. ``clock`` is the store's, and of those who hold."""

    def __init__(self, clock: Clock = LEASE_CLOCK) -> None:
        self._clock = clock
        self._held: dict[str, _Held] = {}

    async def start(self) -> None:
        """Nothing to open."""

    async def stop(self) -> None:
        """Nothing to close."""

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease | None:
        """See `ILeaseStore`."""
        now = self._clock.monotonic()
        held = self._held.get(name)
        if held is None:
            held = self._held[name] = _Held(holder, 1, now + ttl_s)
        elif held.ends > now and held.holder != holder:
            return None
        else:
            epoch = held.epoch if held.ends > now else held.epoch + 1
            held = self._held[name] = _Held(holder, epoch, now + ttl_s)
        return Lease(name, holder, held.epoch, held.ends)

    async def renew(self, lease: Lease, ttl_s: float) -> Lease:
        """See `ILeaseStore`."""
        held = self._held.get(lease.name)
        if held is None or held.released or (held.holder, held.epoch) != (lease.holder, lease.epoch):
            raise LeaseLost(f"the lease {lease.name!r} isn't held by {lease.holder} any more")
        held.ends = self._clock.monotonic() + ttl_s
        return Lease(lease.name, lease.holder, lease.epoch, held.ends)

    async def release(self, lease: Lease) -> None:
        """See `ILeaseStore`."""
        held = self._held.get(lease.name)
        if held is not None and (held.holder, held.epoch) == (lease.holder, lease.epoch):
            held.ends, held.released = float("-inf"), True

    async def read(self, name: str) -> LeaseState | None:
        """See `ILeaseStore`."""
        held = self._held.get(name)
        if held is None:
            return None
        return LeaseState(name, held.holder, held.epoch, max(0.0, held.ends - self._clock.monotonic()))

    async def list(self, prefix: str) -> Sequence[LeaseState]:
        """See `ILeaseStore`."""
        names = sorted(name for name in self._held if name.startswith(prefix))
        found = [await self.read(name) for name in names]
        return [state for state in found if state is not None]
