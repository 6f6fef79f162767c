"""This hub among the others on its database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mtd.app.neighbours import Neighbours
from mtd.storage.stores.hub_logs import HubStore

if TYPE_CHECKING:
    from mtd.api.grpc.stream_hub import StreamHub
    from mtd.app.config import Settings
    from mtd.app.pools import Pools
    from mtd.model.catalogue import Catalogue
    from mtd.security.masters import MasterKeys


class Hubs:
    """Joins what hubs on one database know of each other."""

    def __init__(self, settings: Settings, pools: Pools, log_id: str, masters: MasterKeys) -> None:
        self._settings = settings
        self._pools = pools
        self._log_id = log_id
        self._masters = masters
        self._store = HubStore(pools.writer, log_id)

    async def enter(self) -> None:
        """Be one of them, or go on being one. Raises OtherKey where another one has other master keys."""
        ids = [key.key_id for key in self._masters.all]
        await self._store.enter(ids, self._settings.neighbours.lease_s)

    async def leave(self) -> None:
        """Be none of them any more."""
        await self._store.leave()

    def neighbours(
        self,
        leases: Any,
        hub: StreamHub,
        catalogue: Catalogue,
        on_events: Callable[[set[str]], None],
        watched: Callable[[], bool],
    ) -> Neighbours:
        """Return what tells the others, and hears of them."""
        return Neighbours(
            (self._settings.daemon.collector_id, self._log_id),
            (self._pools.writer, self._pools.across),
            self.enter,
            leases,
            hub,
            self._settings.neighbours,
            tables={source.table for source in catalogue.series_labels},
            on_events=on_events,
            watched=watched,
        )
