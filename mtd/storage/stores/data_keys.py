"""The data keys of tenants, as a transaction sees them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from zope.interface import implementer

from mtd.core.errors import Bug
from mtd.security.interfaces import IDataKeys, WrappedKey
from mtd.storage.txn import Row, Transaction

_COLUMNS = "tenant_id, key_id, wrapped, master_key_id"
# Any number will do, as long as it is ours; the other half of the lock is the tenant.
_LOCK = 0x6D746401


@implementer(IDataKeys)
class DataKeys:
    """See `IDataKeys`."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def current(self, tenant_id: str) -> WrappedKey | None:
        """Return the key that seals; it goes on to be that until the transaction ends. None before the first."""
        # A rotation takes it alone: once a key is retired, nobody is still sealing with it.
        await self._tx.execute("SELECT pg_advisory_xact_lock_shared(%s, hashtext(%s))", (_LOCK, tenant_id))
        return await self._current(tenant_id)

    async def add(self, key: WrappedKey) -> WrappedKey:
        """Add the first key of a tenant; return that of who was quicker, if somebody was."""
        await self._tx.execute(
            f"INSERT INTO tenant_data_key ({_COLUMNS}, complete_at) VALUES (%s, %s, %s, %s, now())"
            " ON CONFLICT (tenant_id) WHERE retired_at IS NULL DO NOTHING",
            (key.tenant_id, key.key_id, key.wrapped, key.master_key_id),
        )
        found = await self._current(key.tenant_id)
        if found is None:
            raise Bug("a data key was added, and there is none")
        return found

    async def named(self, key_ids: Collection[str]) -> Mapping[str, WrappedKey]:
        """Return those keys of these that there are, by their ids."""
        await self._tx.execute(
            f"SELECT {_COLUMNS} FROM tenant_data_key WHERE key_id = ANY (%s::uuid[])", (list(key_ids),)
        )
        return {key.key_id: key for key in map(_key_of, self._tx.fetchall())}

    async def _current(self, tenant_id: str) -> WrappedKey | None:
        await self._tx.execute(
            f"SELECT {_COLUMNS} FROM tenant_data_key WHERE tenant_id = %s AND retired_at IS NULL",
            (tenant_id,),
        )
        row = self._tx.fetchone()
        return None if row is None else _key_of(row)

    # For rotations.

    async def hold(self, tenant_id: str) -> None:
        """Let nobody seal for a tenant until the transaction ends."""
        await self._tx.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK, tenant_id))

    async def replace(self, key: WrappedKey) -> None:
        """Let another key seal. Who calls holds the tenant."""
        await self._tx.execute(
            "UPDATE tenant_data_key SET retired_at = now() WHERE tenant_id = %s AND retired_at IS NULL",
            (key.tenant_id,),
        )
        await self._tx.execute(
            f"INSERT INTO tenant_data_key ({_COLUMNS}) VALUES (%s, %s, %s, %s)",
            (key.tenant_id, key.key_id, key.wrapped, key.master_key_id),
        )

    async def rewrap(self, key: WrappedKey) -> None:
        """Store a key as another master key wrapped it."""
        await self._tx.execute(
            "UPDATE tenant_data_key SET wrapped = %s, master_key_id = %s WHERE tenant_id = %s AND key_id = %s",
            (key.wrapped, key.master_key_id, key.tenant_id, key.key_id),
        )

    async def wrapped_by_others(self, master_key_id: bytes, after: str, limit: int) -> list[WrappedKey]:
        """Return keys that another master key wrapped, by their ids, behind one; held until the transaction ends."""
        await self._tx.execute(
            f"SELECT {_COLUMNS} FROM tenant_data_key WHERE master_key_id <> %s AND key_id > %s"
            " ORDER BY key_id LIMIT %s FOR UPDATE",
            (master_key_id, after, limit),
        )
        return list(map(_key_of, self._tx.fetchall()))


def _key_of(row: Row) -> WrappedKey:
    tenant_id, key_id, wrapped, master_key_id = row
    return WrappedKey(str(tenant_id), str(key_id), bytes(wrapped), bytes(master_key_id))
