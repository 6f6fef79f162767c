"""Stores, keys and a rotation on one database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg2

from mtd.security.masters import MasterKeys
from mtd.security.vault import Vault
from mtd.storage.pool import Database
from mtd.storage.stores.credential_sets import CredentialSetStore
from mtd.storage.stores.device_settings import DeviceSettings
from mtd.storage.stores.devices import DeviceStore
from mtd.storage.stores.polled import PolledDevices
from mtd.storage.stores.rotation import Rotation
from mtd.testing import run_async

TENANT = "00000000-0000-4000-8000-000000000001"
OTHER = "00000000-0000-4000-8000-0000000000ff"


def settings(name: str, **changes: Any) -> DeviceSettings:
    """Return settings of a device."""
    return DeviceSettings(**{"name": name, "host": "192.0.2.1", "username": "own", **changes})


class World:
    """What the daemon and the operator have of one database: doors of their own, and the key file."""

    def __init__(self, dsn: str, path: Path) -> None:
        self.dsn = dsn
        self.path = path
        self.db = Database.for_writing(dsn)
        self.doors = Database.for_queries(dsn)
        self.vault = self.another_vault()
        self.devices = DeviceStore(self.doors, self.vault.sealer)
        self.sets = CredentialSetStore(self.doors, self.vault.sealer)
        self.polled = PolledDevices(self.db, self.vault.opener)

    def another_vault(self) -> Vault:
        """Return the vault of another process: it has unwrapped nothing yet."""
        return Vault(MasterKeys.from_file(self.path))

    def another_poller(self) -> PolledDevices:
        """Return what polls in another process."""
        return PolledDevices(self.db, self.another_vault().opener)

    def rotation(self, batch: int = 2) -> Rotation:
        """Return a rotation of another process."""
        return Rotation(self.db, self.another_vault(), batch=batch)

    def sql(self, statement: str, *params: Any) -> list[Any]:
        """Ask PostgreSQL as the owner."""
        connection = psycopg2.connect(self.dsn, options="-c search_path=mtd")
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, params or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


def in_world(dsn: str, folder: Path, body: Callable[[World], Awaitable[None]]) -> None:
    """Run a test body on a database, which has two tenants."""

    async def main() -> None:
        world = World(dsn, folder / "master.key")
        world.sql("INSERT INTO tenant (tenant_id, name) VALUES (%s, 'other') ON CONFLICT DO NOTHING", OTHER)
        await world.db.start()
        try:
            await body(world)
        finally:
            await world.doors.stop()
            await world.db.stop()

    run_async(main())
