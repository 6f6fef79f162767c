"""The inventory with its statuses, for pages that are asked for often."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

from mtd.api.interfaces import InventoryBackend
from mtd.core.clock import Clock
from mtd.core.errors import NotFound, Refused, Retryable
from mtd.core.service import TaskGroup
from mtd.core.shared import Shared
from mtd.queries.records import DeviceView

MOST_TENANTS = 200

logger = logging.getLogger(__name__)

# A thousand targets are scraped one by one; what they are is read once for all of them. At most
# a twentieth of the time goes into reading, unless that would make statuses old.
_FRESH_S = 2.0
_FRESH_PER_READ_S = 20.0
_OLDEST_S = 15.0
_RETRY_S = 5.0
_PAGE = 200


class Roster:
    """The devices of a tenant, as of a moment ago. While the database is away, as they were before."""

    def __init__(
        self, inventory: InventoryBackend, tenant_id: str, clock: Clock, *, deadline_s: float = 5.0
    ) -> None:
        self._inventory = inventory
        self._tenant_id = tenant_id
        self._clock = clock
        self._deadline_s = deadline_s
        self._views: Sequence[DeviceView] = ()
        self._by_name: dict[str, DeviceView] = {}
        self._by_address: dict[str, list[DeviceView]] = {}
        self._known = False
        self._next_read = 0.0
        self._tasks = TaskGroup("api.roster")
        self._reading: Shared[None] = Shared("read", self._tasks)

    async def stop(self) -> None:
        """Read no more."""
        await self._tasks.stop()

    async def views(self) -> Sequence[DeviceView]:
        """Return all devices in the order of their names. Raises Retryable if they were never read."""
        if not self._known or self._clock.monotonic() > self._next_read:
            try:
                await self._reading.get("", self._read)
            except Retryable:
                if not self._known:
                    raise
        return self._views

    async def _read(self) -> None:
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._deadline_s):
                views = [view async for view in self._pages()]
        except (Retryable, TimeoutError) as error:
            self._next_read = self._clock.monotonic() + _RETRY_S
            reason = f"the inventory can't be read: {str(error) or 'no answer in time'}"
            logger.warning("%s%s", reason, "; scrapers get what it was" if self._known else "")
            raise Retryable(reason) from None
        self._take(views)
        now = self._clock.monotonic()
        self._next_read = now + min(max(_FRESH_S, (now - began) * _FRESH_PER_READ_S), _OLDEST_S)

    async def _pages(self) -> AsyncIterator[DeviceView]:
        token = ""
        while True:
            page = await self._inventory.list_page(self._tenant_id, _PAGE, token)
            for view in page.devices:
                yield view
            token = page.next_token
            if not token:
                return

    def _take(self, views: Sequence[DeviceView]) -> None:
        self._known = True
        self._views = views
        self._by_name = {view.settings.name: view for view in views}
        self._by_address = {}
        for view in views:
            host, port = view.settings.host, view.settings.port
            for address in {view.device_id, host, f"{host}:{port}"}:
                self._by_address.setdefault(address, []).append(view)

    async def find(self, target: str) -> DeviceView:
        """Return a device by its name, its id or its host, in this order.

        Raises NotFound, and Refused if several have that host.
        """
        await self.views()
        named = self._by_name.get(target)
        if named is not None:
            return named
        found = self._by_address.get(target, [])
        if not found:
            raise NotFound(f"there is no device with the name, id or host {target!r}")
        if len(found) > 1:
            names = ", ".join(view.settings.name for view in found[:10])
            raise Refused(f"{len(found)} devices have the host {target!r}: give the name of one, as {names}")
        return found[0]


class Rosters:
    """A roster for each tenant that is asked for. Bound: 200 tenants; policy: who was asked for longest ago leaves."""

    def __init__(self, inventory: InventoryBackend, clock: Clock) -> None:
        self._inventory = inventory
        self._clock = clock
        self._rosters: OrderedDict[str, Roster] = OrderedDict()

    def of(self, tenant_id: str) -> Roster:
        """Return the devices of a tenant."""
        roster = self._rosters.get(tenant_id)
        if roster is None:
            roster = self._rosters[tenant_id] = Roster(self._inventory, tenant_id, self._clock)
            if len(self._rosters) > MOST_TENANTS:
                self._rosters.popitem(last=False)  # who still reads there gets what it reads
        self._rosters.move_to_end(tenant_id)
        return roster

    async def stop(self) -> None:
        """Read no more."""
        await asyncio.gather(*(roster.stop() for roster in self._rosters.values()))
