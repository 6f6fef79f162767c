"""Leases in PostgreSQL, as a port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.coordination.interfaces import ILeaseStore
from mtd.core.clock import LEASE_CLOCK, Clock
from mtd.model.assignment import Lease, LeaseState
from mtd.storage.stores.leases import LeaseTable

if TYPE_CHECKING:
    from mtd.storage.pool import Database

_DEADLINE_S = 2.0


@implementer(ILeaseStore)
class PostgresLeaseStore:
    """See `ILeaseStore`. ``writer``: a pool of the writer's role, which is started and stopped by others."""

    def __init__(
        self, writer: Database, *, deadline_s: float = _DEADLINE_S, clock: Clock = LEASE_CLOCK
    ) -> None:
        self._table = LeaseTable(writer, deadline_s)
        self._clock = clock

    async def start(self) -> None:
        """The pool is open."""

    async def stop(self) -> None:
        """The pool is closed by others."""

    async def acquire(self, name: str, holder: str, ttl_s: float) -> Lease | None:
        """See `ILeaseStore`."""
        asked = self._clock.monotonic()
        epoch = await self._table.acquire(name, holder, ttl_s)
        return None if epoch is None else Lease(name, holder, epoch, asked + ttl_s)

    async def renew(self, lease: Lease, ttl_s: float) -> Lease:
        """See `ILeaseStore`."""
        asked = self._clock.monotonic()
        await self._table.renew(lease.name, lease.holder, lease.epoch, ttl_s)
        return Lease(lease.name, lease.holder, lease.epoch, asked + ttl_s)

    async def release(self, lease: Lease) -> None:
        """See `ILeaseStore`."""
        await self._table.release(lease.name, lease.holder, lease.epoch)

    async def read(self, name: str) -> LeaseState | None:
        """See `ILeaseStore`."""
        return await self._table.read(name)

    async def list(self, prefix: str) -> Sequence[LeaseState]:
        """See `ILeaseStore`."""
        return await self._table.list(prefix)
