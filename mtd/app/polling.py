"""Who polls, as callers see it: what is stored, and the leases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mtd.coordination.service import LEASES, lease_name
from mtd.core.errors import Forbidden, Refused
from mtd.model.poller import PolledBy, Poller, PollerChange
from mtd.storage.stores.assignments import AssignmentStore
from mtd.storage.stores.memberships import ONLINE
from mtd.storage.stores.pollers import PollerStore

if TYPE_CHECKING:
    from mtd.coordination.interfaces import ILeaseStore
    from mtd.storage.pool import Database


class Pollers:
    """See `PollingBackend`."""

    def __init__(self, writer: Database, leases: ILeaseStore) -> None:
        self._store = PollerStore(writer)
        self._assignments = AssignmentStore(writer)
        self._leases = leases

    async def list(self, tenant_id: str, after_name: str, limit: int) -> Sequence[Poller]:
        """Return pollers by name, at most ``limit`` behind a name."""
        found = await self._store.list(tenant_id, after_name, limit)
        left = {state.name: state.left_s for state in await self._leases.list(LEASES)}
        return [replace(one, lease_left_s=left.get(lease_name(one.poller_id), 0.0)) for one in found]

    async def get(self, tenant_id: str, poller: str) -> Poller:
        """Return a poller by its name or id."""
        return await self._with_lease(await self._store.get(tenant_id, poller))

    async def update(self, tenant_id: str, poller: str, change: PollerChange, *, across: bool) -> Poller:
        """Change what is said of a poller."""
        return await self._with_lease(await self._store.update(tenant_id, poller, change, across=across))

    async def release(self, tenant_id: str, poller: str, *, across: bool) -> int:
        """Let others have what a poller had alone. Raises Refused while it takes part."""
        found = await self._with_lease(await self._store.get(tenant_id, poller))
        if not found.edge and not across:
            raise Forbidden(
                f"the hub {found.name!r} polls for all tenants: only those who work across tenants release it"
            )
        if found.state == ONLINE or found.lease_left_s > 0:
            raise Refused(
                f"the collector {found.name!r} takes part: drain it, and its devices go to others in good order"
            )
        return await self._assignments.release_all(found.poller_id)

    async def held(
        self, tenant_id: str, poller: str, after: tuple[str, int], limit: int
    ) -> Sequence[PolledBy]:
        """Return who polls what."""
        return await self._store.held(tenant_id, poller, after, limit)

    async def place_devices(
        self, tenant_id: str, devices: Sequence[str], poller: str | None, redundancy: int | None
    ) -> int:
        """Say who polls devices, and how many of them."""
        return await self._store.place_devices(tenant_id, devices, poller, redundancy)

    async def place_sites(self, tenant_id: str, sites: Sequence[str], redundancy: int) -> int:
        """Say how many poll the devices of sites."""
        return await self._store.place_sites(tenant_id, sites, redundancy)

    async def _with_lease(self, found: Poller) -> Poller:
        state = await self._leases.read(lease_name(found.poller_id))
        return found if state is None else replace(found, lease_left_s=state.left_s)
