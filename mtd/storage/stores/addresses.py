"""Addresses that devices have, as they were read of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

_READ = """
SELECT s.device_id::text, array_agg(DISTINCT split_part(s.fields->>'address', '/', 1))
FROM device d JOIN state_row s ON s.tenant_id = d.tenant_id AND s.device_id = d.device_id
 AND s.table_name IN ('ip_address', 'ipv6_address')
WHERE s.fields->>'address' IS NOT NULL GROUP BY s.device_id
"""


async def addresses_of_devices(database: Database) -> Mapping[str, Sequence[str]]:
    """Return the addresses on the interfaces of each device, by its id; of all tenants."""

    async def read(tx: Transaction) -> list[Row]:
        await tx.execute(_READ)
        return tx.fetchall()

    return {device_id: found for device_id, found in await database.run("addresses.read", read)}
