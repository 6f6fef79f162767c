"""The connections of the daemon to PostgreSQL: a pool for each role that it has there."""

from __future__ import annotations

import logging

from mtd.core.errors import Misconfigured
from mtd.storage.config import StorageConfig
from mtd.storage.pool import Database
from mtd.storage.readers import Readers
from mtd.storage.roles import refuse_fallen_walls, refuse_open_login

logger = logging.getLogger(__name__)

_HELD_UP_S = 2.0


class Pools:
    """All pools, started and stopped together.

    ``writer``: what projections and collectors write, and what is looked up before its tenant is known.
    ``across``: what mtd itself reads of all tenants.
    ``doors``, ``arrays``: what callers ask for; each transaction names its tenant, and sees nothing of another.
    ``owner``: making and dropping partitions.
    ``coordination``: who polls what, and whom collectors ask, however busy the writer's connections are.
    ``leases``: what has to be renewed in time however many ask the others.

    Each has connections of its own: what readers ask never holds up the projections.
    """

    def __init__(self, dsn: str, door_dsn: str, config: StorageConfig) -> None:
        self._door_login = bool(door_dsn)
        self.owner = Database.for_maintenance(dsn, config)
        self.writer = Database.for_writing(dsn, config)
        # Who is held up in the middle of a decision holds up nobody else's for long.
        quick = {
            "pool_size": 2,
            "idle_transaction_timeout_s": min(_HELD_UP_S, config.idle_transaction_timeout_s),
        }
        self.coordination = Database.for_writing(dsn, config.model_copy(update=quick))
        self.leases = Database.for_writing(dsn, config.model_copy(update=quick))
        self.across = Database.for_all_tenants(dsn, config)
        self.doors = Database.for_queries(door_dsn or dsn, config)
        # What is read in binary, and by arrays, is read in threads.
        self.arrays = Readers(door_dsn or dsn, config)

    async def start(self) -> None:
        """Connect each once. Raises Retryable, and Misconfigured where doors could pass the walls or there are none."""
        for pool in (self.owner, self.writer, self.leases, self.coordination, self.across):
            await pool.start()
        await self.owner.check(refuse_fallen_walls)
        try:
            await self.doors.start()
        except Misconfigured as error:
            name = "database.door_dsn" if self._door_login else "database.dsn"
            raise Misconfigured(str(error).replace("database.dsn", name)) from None
        if self._door_login:
            await self.doors.check(refuse_open_login)
        else:
            logger.warning(
                "database.door_dsn is empty: doors use the login of database.dsn and lay its rights down, as %s."
                " A login of their own couldn't take them up again: see docs/tenants.md",
                self.doors.role,
            )

    async def stop(self) -> None:
        """Close all connections."""
        await self.arrays.stop()
        for pool in (self.doors, self.across, self.coordination, self.leases, self.writer, self.owner):
            await pool.stop()
