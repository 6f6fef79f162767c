"""The hub's side of seats: collectors join, renew, hear what they are to poll, and let go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING, TypeVar

from zope.interface import implementer

from mtd.coordination.interfaces import ICoordination
from mtd.core.errors import LeaseLost, Superseded
from mtd.model.assignment import AssignedDevice, Assignment, CollectorFacts, Lease, LeaseState, Membership
from mtd.storage.errors import CommitUnknown, StorageUnavailable
from mtd.storage.stores.assignments import ASSIGNED, EXCLUSIVE, RELEASING, AssignmentStore
from mtd.storage.stores.memberships import CHANNEL, MembershipStore

if TYPE_CHECKING:
    from mtd.coordination.config import CoordinationConfig
    from mtd.coordination.interfaces import ILeaseStore
    from mtd.coordination.inventory import InventoryFeed
    from mtd.storage.pool import Database, Listening

logger = logging.getLogger(__name__)

T = TypeVar("T")

LEASES = "collector/"
"""Leases of collectors that take part begin like this, and end with the collector's id."""

COORDINATOR = "coordinator"
"""The lease of who decides."""

TAKER = "*coordinator*"
"""How the coordinator begins its name where it takes leases of others away: no collector has it."""


def lease_name(collector_id: str) -> str:
    """Return the name of the lease by which a collector takes part."""
    return LEASES + collector_id


def holder_of(facts: CollectorFacts) -> str:
    """Return as whom a collector holds its lease: another one after each start."""
    return f"{facts.collector_id}/{facts.instance_id}"


@implementer(ICoordination)
class Coordination:
    """See `ICoordination`. ``inventory`` is started by others."""

    def __init__(
        self,
        leases: ILeaseStore,
        writer: Database,
        inventory: InventoryFeed,
        config: CoordinationConfig,
    ) -> None:
        self._leases = leases
        self._writer = writer
        self._inventory = inventory
        self._config = config
        self._members = MembershipStore(writer)
        self._assignments = AssignmentStore(writer)
        self._waiting: set[asyncio.Event] = set()
        self.plan_listeners: list[Callable[[], None]] = []
        """Called when the coordinator has to look again."""
        self._listening: Listening | None = None

    async def start(self) -> None:
        """Begin to hear of changes."""
        self._inventory.listeners.append(self._wake)
        self._listening = await self._writer.listen(CHANNEL, self._heard)

    async def stop(self) -> None:
        """Hear of nothing any more."""
        self._inventory.listeners.remove(self._wake)
        if self._listening is not None:
            await self._listening.stop()

    async def join(
        self, facts: CollectorFacts, *, resumes: bool = False, holds: Collection[str] = ()
    ) -> Membership:
        """See `ICoordination`."""
        lease = await self._take_lease(facts, resumes=resumes)
        await _known(self._members.join(facts, lease.epoch, holds))
        return Membership(facts, lease)

    async def renew(self, membership: Membership) -> Membership:
        """See `ICoordination`."""
        try:
            lease = await self._leases.renew(membership.lease, self._config.lease_s)
        except LeaseLost:
            state = await self._leases.read(membership.lease.name)
            if state is not None and _is_held_by_another(state, membership.facts):
                raise _superseded(membership.facts) from None
            raise
        return Membership(membership.facts, lease)

    async def leave(self, membership: Membership) -> None:
        """See `ICoordination`."""
        await _known(self._members.leave(membership.facts))
        await self._leases.release(membership.lease)

    async def assignments(self, membership: Membership) -> AsyncGenerator[Assignment, None]:
        """See `ICoordination`."""
        changed = asyncio.Event()
        self._waiting.add(changed)
        try:
            told: Assignment | None = None
            changed.set()
            while True:
                await changed.wait()
                changed.clear()
                if not self._inventory.is_known:
                    continue
                newest = await self._assignment(membership.facts)
                if newest != told:
                    told = newest
                    yield newest
        finally:
            self._waiting.discard(changed)

    async def applied(self, membership: Membership, revision: int) -> None:
        """See `ICoordination`."""
        await _known(self._assignments.applied(membership.facts, revision))

    async def released(self, membership: Membership, epochs: Mapping[str, int]) -> None:
        """See `ICoordination`."""
        if epochs:
            await _known(self._assignments.released(membership.facts, epochs))

    async def _take_lease(self, facts: CollectorFacts, *, resumes: bool) -> Lease:
        name, holder = lease_name(facts.collector_id), holder_of(facts)
        lease: Lease | None = await self._leases.acquire(name, holder, self._config.lease_s)
        if lease is not None:
            return lease
        state = await self._leases.read(name)
        if state is not None and _is_held_by_another(state, facts):
            if resumes:
                raise _superseded(facts)
            logger.info(
                "the collector %s was started again: what ran before it takes part no more", facts.name
            )
            await self._leases.release(Lease(name, state.holder, state.epoch, 0.0))
            lease = await self._leases.acquire(name, holder, self._config.lease_s)
        if lease is None:
            raise StorageUnavailable(f"the devices of the collector {facts.name!r} are just given to others")
        return lease

    async def _assignment(self, facts: CollectorFacts) -> Assignment:
        revision, rows = await _known(self._assignments.of_collector(facts))
        devices = self._inventory.devices
        return Assignment(
            revision,
            {
                row.device_id: AssignedDevice(
                    devices[row.device_id], row.epoch, exclusive=row.hold == EXCLUSIVE
                )
                for row in rows
                if row.state == ASSIGNED and row.device_id in devices
            },
            {row.device_id: row.epoch for row in rows if row.state == RELEASING},
        )

    def _heard(self, what: str | None) -> None:
        if what != "plan":
            self._wake()
        if what != "assigned":
            for listener in self.plan_listeners:
                listener()

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()


def _is_held_by_another(state: LeaseState, facts: CollectorFacts) -> bool:
    """Whether another process takes part as this collector."""
    is_taken = state.holder.startswith(f"{TAKER}/")  # for a moment, while its devices are given away
    return state.left_s > 0 and not is_taken and state.holder != holder_of(facts)


def _superseded(facts: CollectorFacts) -> Superseded:
    return Superseded(f"another process takes part as the collector {facts.name!r}")


async def _known(done: Awaitable[T]) -> T:
    """Return what was done. A commit of which nobody knows is as good as none: all here may be done again."""
    try:
        return await done
    except CommitUnknown as error:
        raise StorageUnavailable(str(error)) from error
