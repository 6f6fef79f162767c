"""What interfaces of a device are called, by itself and as its setting wants it."""

from __future__ import annotations

from collections.abc import Mapping

from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

_READ = """
SELECT interface_id, name, label FROM interface
WHERE tenant_id = %s AND device_id = %s AND name IS NOT NULL AND label IS NOT NULL
"""


async def interface_names(
    database: Database, tenant_id: str, device_id: str
) -> Mapping[str, tuple[str, str]]:
    """Return names and labels of a device's interfaces, by their ids."""

    async def read(tx: Transaction) -> list[Row]:
        await tx.execute(_READ, (tenant_id, device_id))
        return tx.fetchall()

    found = await database.run("interface_names.read", read)
    return {instance: (name, label) for instance, name, label in found}
