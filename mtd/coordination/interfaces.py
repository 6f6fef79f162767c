"""The ports of coordination: leases, and the seat of a polling process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from mtd.model.assignment import Assignment, CollectorFacts, Lease, LeaseState, Membership


class ILeaseStore(Interface):
    """Named leases. All methods raise StorageUnavailable (Retryable) while the store can't be asked.

    Whether a lease is over is judged by the store's clock alone, so that the
    clocks of holders don't matter. A holder is a process, not a machine: it
    has another name after each start.
    """

    async def start() -> None:
        """Open the store."""

    async def stop() -> None:
        """Close it; leases go on until they are over."""

    async def acquire(name: str, holder: str, ttl_s: float) -> Lease | None:
        """Take a lease that nobody holds, or that this holder has already; None if somebody else does.

        Taken from nobody or by another holder than the last one, its epoch is higher than any before.
        """

    async def renew(lease: Lease, ttl_s: float) -> Lease:
        """Hold a lease for longer, from now on. Raises LeaseLost if it was released or taken, or its epoch isn't the newest.

        One that is over and that nobody took goes on, with its epoch.
        """

    async def release(lease: Lease) -> None:
        """Let a lease go at once; nothing happens if it is lost already."""

    async def read(name: str) -> LeaseState | None:
        """Return the state of a lease; None if nobody ever held it."""

    async def list(prefix: str) -> Sequence[LeaseState]:
        """Return all leases whose names begin like this, by name."""


class ISeat(Interface):
    """What a polling process knows of what it is to poll."""

    collector_id: str = Attribute("Who polls: what stands in events.")

    async def start() -> None:
        """Begin to take part. Doesn't wait for an assignment."""

    async def stop() -> None:
        """Give everything back, as far as somebody can be told within a second or two."""

    def assignments() -> AsyncGenerator[Assignment, None]:
        """Yield what is to be polled, at once if it is known, and again whenever it changed; the newest only.

        Close it (``contextlib.aclosing``). Devices that are in it no more have
        to be let go: end their loops, then call ``released``.
        """

    def may_poll(device_id: str) -> bool:
        """Whether a device may be polled, and what it answered be recorded, at this moment. Cheap: asked at each poll."""

    def epoch_of(device_id: str) -> int:
        """Return the epoch under which a device is polled; 0 without assignments."""

    def leaving() -> Collection[str]:
        """Return the devices that aren't assigned any more and weren't `released` yet, whether they were polled or not."""

    async def released(device_ids: Collection[str]) -> None:
        """Say that these devices are polled no more by this process: another one may have them."""


class ICoordination(Interface):
    """The hub's side of seats: whoever polls takes part through one of these, of whichever hub.

    All methods raise StorageUnavailable (Retryable) while the store can't be asked.
    """

    async def join(
        facts: CollectorFacts, *, resumes: bool = False, holds: Collection[str] = ()
    ) -> Membership:
        """Let a collector take part. Another instance of the same collector that still does is superseded at once.

        ``resumes``: this instance took part before, and supersedes nobody: it raises Superseded if another one does
        now. The first call of an instance is without. ``holds``: devices that it polls without a lease, as it was told
        before: nobody else gets them before it has said `applied` of something newer, and `released`.
        """

    async def renew(membership: Membership) -> Membership:
        """Take part for longer. Raises LeaseLost: join again."""

    async def leave(membership: Membership) -> None:
        """Take part no more; all its devices are released."""

    def assignments(membership: Membership) -> AsyncGenerator[Assignment, None]:
        """Yield what a collector is to poll, at once and whenever it changed; the newest only. Close it.

        Say ``applied`` when the collector acts by one. Devices may have other settings at the same revision.
        """

    async def applied(membership: Membership, revision: int) -> None:
        """Take note that a collector acts by this revision.

        What was exclusive and is no more is polled under the lease from then on, and may fail over.
        """

    async def released(membership: Membership, epochs: Mapping[str, int]) -> None:
        """Take note that devices, each under its epoch, are polled no more by this collector."""
