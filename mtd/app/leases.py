"""Where leases are kept, as the configuration has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.coordination.config import LeaseBackend
from mtd.coordination.postgres import PostgresLeaseStore

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.app.pools import Pools
    from mtd.coordination.jetstream_leases import JetStreamLeaseStore


def lease_store(settings: Settings, pools: Pools) -> PostgresLeaseStore | JetStreamLeaseStore:
    """Return the store of leases, not started. All hubs of a database have the same."""
    if settings.coordination.leases is LeaseBackend.POSTGRESQL:
        return PostgresLeaseStore(pools.leases)
    # Imported only where it is used: others need no NATS.
    from mtd.coordination.jetstream_leases import JetStreamLeaseStore

    return JetStreamLeaseStore(settings.event_log.jetstream)
