"""Rotation of keys, while the daemon works: new data keys, a new master key, and everything sealed anew.

Each step is a short transaction. Whatever ends it in between, the next rotation goes on from there: a data key
remembers whether all was sealed with it, a master key whether it wraps anything yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from mtd.security.datakeys import new_data_key, wrap_again
from mtd.security.errors import SecretUnreadable
from mtd.security.sealed import FIRST_VERSION, header_of
from mtd.security.vault import Vault
from mtd.storage.errors import CommitUnknown
from mtd.storage.pool import Database
from mtd.storage.stores.data_keys import DataKeys
from mtd.storage.stores.sealed_columns import SEALED_COLUMNS, SealedColumn
from mtd.storage.txn import Transaction

T = TypeVar("T")
Progress = Callable[[str], None]

BATCH = 100
GRACE_S = 3600
"""How long a retired data key stays that nothing is sealed with: somebody may have read a secret before it was
sealed anew, and open it after."""

_NIL = "00000000-0000-0000-0000-000000000000"
_MASTER_LOCK = 0x6D746403  # 6D746402 is that of compaction, which holds it for hours
_COMMITS = 3  # unknown ones that are tried again


@dataclass(slots=True)
class Rotated:
    """What a rotation did. ``unreadable``: why, for each secret and key that it could not touch."""

    sealed: int = 0
    new_data_keys: int = 0
    rewrapped: int = 0
    removed_data_keys: int = 0
    new_master_key: str = ""
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Batch:
    """What a transaction did: the key of its last row, how many rows it looked at and changed, what it could not read."""

    after: tuple[str, str]
    looked_at: int
    changed: int
    unreadable: Sequence[str]


class Rotation:
    """Rotates keys. One may run beside another, and beside everything else."""

    def __init__(
        self, db: Database, vault: Vault, progress: Progress = lambda _: None, *, batch: int = BATCH
    ) -> None:
        self._db = db
        self._vault = vault
        self._masters = vault.masters
        self._progress = progress
        self._batch = batch
        self.done = Rotated()

    async def tenants(self) -> list[str]:
        """Return the tenants that have keys or secrets."""

        async def read(tx: Transaction) -> list[str]:
            tables = ["tenant_data_key", *(column.table for column in SEALED_COLUMNS)]
            parts = " UNION ".join(f"SELECT tenant_id::text FROM {table}" for table in tables)
            await tx.execute(f"{parts} ORDER BY 1")
            return [tenant_id for (tenant_id,) in tx.fetchall()]

        return await self._step("tenants", read)

    async def master_key(self) -> None:
        """Put a new master key into its file, unless the newest seals nothing yet, and wrap all data keys with it.

        What was sealed before there were data keys needs the old master key: it is sealed anew, too.
        """

        async def renew(tx: Transaction) -> str:
            await tx.execute("SELECT pg_advisory_xact_lock(%s)", (_MASTER_LOCK,))
            await self._masters.refresh()
            if not await _is_used(tx, self._masters.newest.key_id):
                return ""  # a rotation was ended half-way, or the operator put it there: this one goes on
            return (await asyncio.to_thread(self._masters.add_new_blocking)).key_id.hex()

        self.done.new_master_key = await self._step("new_master_key", renew)
        self._progress(f"wrapping the data keys with master key {self._masters.newest.key_id.hex()}")
        await self._in_batches("rewrap", self._rewrap)
        for tenant_id in await self.tenants():
            await self._seal_all(tenant_id, first_version_only=True)

    async def data_key(self, tenant_id: str) -> None:
        """Give a tenant a new data key, and seal all its secrets with it."""

        async def renew(tx: Transaction) -> bool:
            keys = DataKeys(tx)
            await keys.hold(tenant_id)
            await tx.execute(
                "SELECT FROM tenant_data_key WHERE tenant_id = %s AND retired_at IS NULL AND complete_at IS NULL",
                (tenant_id,),
            )
            if tx.rowcount:
                return False  # a rotation was ended half-way: this one goes on
            await self._masters.refresh()
            await keys.replace(new_data_key(tenant_id, self._masters.newest))
            return True

        self._progress(f"sealing the secrets of tenant {tenant_id} anew")
        self.done.new_data_keys += await self._step("new_data_key", renew)
        await self._seal_all(tenant_id)
        self.done.removed_data_keys += await self._step("complete", partial(_complete, tenant_id))

    async def _rewrap(self, after: tuple[str, str], tx: Transaction) -> _Batch:
        keys = DataKeys(tx)
        found = await keys.wrapped_by_others(self._masters.newest.key_id, after[0] or _NIL, self._batch)
        changed, unreadable = 0, []
        for key in found:
            try:
                await keys.rewrap(wrap_again(key, self._masters))
                changed += 1
            except SecretUnreadable as error:
                unreadable.append(str(error))
        return _Batch((found[-1].key_id if found else "", ""), len(found), changed, unreadable)

    async def _seal_all(self, tenant_id: str, *, first_version_only: bool = False) -> None:
        for column in SEALED_COLUMNS:
            await self._in_batches("seal", partial(self._seal, tenant_id, column, first_version_only))

    async def _seal(
        self,
        tenant_id: str,
        column: SealedColumn,
        first_version_only: bool,
        after: tuple[str, str],
        tx: Transaction,
    ) -> _Batch:
        keys = DataKeys(tx)
        sealing = await self._vault.sealer.sealing(keys, tenant_id)
        old = (
            "get_byte(secret, 0) = 1" if first_version_only else "NOT starts_with(encode(secret, 'hex'), %s)"
        )
        given = [] if first_version_only else [header_of(sealing.key_id).hex()]
        await tx.execute(
            f"SELECT {column.key}, secret FROM {column.table} WHERE tenant_id = %s AND length(secret) > 0 AND {old}"
            f" AND ({column.key}) > (%s, %s) ORDER BY 1, 2 LIMIT %s FOR UPDATE",
            [tenant_id, *given, *after, self._batch],
        )
        rows = [(owner_id, kind, bytes(sealed)) for owner_id, kind, sealed in tx.fetchall()]
        opening = await self._vault.opener.opening(keys, [sealed for _, _, sealed in rows])
        changed, unreadable = 0, []
        for owner_id, kind, sealed in rows:
            bond = column.bond(tenant_id, owner_id, kind)
            try:
                again = sealing.seal(bond, opening.open(bond, sealed))
            except SecretUnreadable as error:
                unreadable.append(str(error))
                continue
            await tx.execute(
                f"UPDATE {column.table} SET secret = %s WHERE tenant_id = %s AND ({column.key}) = (%s, %s)",
                (again, tenant_id, owner_id, kind),
            )
            changed += 1
        return _Batch(rows[-1][:2] if rows else after, len(rows), changed, unreadable)

    async def _in_batches(
        self, name: str, work: Callable[[tuple[str, str], Transaction], Awaitable[_Batch]]
    ) -> None:
        after = ("", "")
        while True:
            batch = await self._step(name, partial(work, after))
            if name == "rewrap":
                self.done.rewrapped += batch.changed
            else:
                self.done.sealed += batch.changed
            self.done.unreadable += batch.unreadable
            if batch.looked_at < self._batch:
                return
            after = batch.after

    async def _step(self, name: str, body: Callable[[Transaction], Awaitable[T]]) -> T:
        for _ in range(_COMMITS):
            try:
                return await self._db.run(f"secrets.{name}", body)
            except CommitUnknown:
                continue  # every step may be done twice
        return await self._db.run(f"secrets.{name}", body)


async def _is_used(tx: Transaction, master_key_id: bytes) -> bool:
    """Whether a master key wraps data keys, or sealed secrets itself."""
    first = " OR ".join(
        f"EXISTS (SELECT FROM {column.table} WHERE substring(secret FROM 1 FOR 5) = %s)"
        for column in SEALED_COLUMNS
    )
    header = bytes((FIRST_VERSION,)) + master_key_id
    await tx.execute(
        f"SELECT EXISTS (SELECT FROM tenant_data_key WHERE master_key_id = %s) OR {first}",
        [master_key_id, *[header] * len(SEALED_COLUMNS)],
    )
    row = tx.fetchone()
    return bool(row and row[0])


async def _complete(tenant_id: str, tx: Transaction) -> int:
    """Say that all is sealed with the current key; remove those that nothing needs any more, and return how many."""
    await DataKeys(tx).hold(tenant_id)
    await tx.execute(
        "UPDATE tenant_data_key SET complete_at = coalesce(complete_at, now())"
        " WHERE tenant_id = %s AND retired_at IS NULL",
        (tenant_id,),
    )
    unused = " AND ".join(
        f"NOT EXISTS (SELECT FROM {column.table} s WHERE s.tenant_id = k.tenant_id"
        " AND starts_with(encode(s.secret, 'hex'), '02' || replace(k.key_id::text, '-', '')))"
        for column in SEALED_COLUMNS
    )
    await tx.execute(
        f"DELETE FROM tenant_data_key k WHERE tenant_id = %s AND {unused}"
        " AND retired_at < now() - make_interval(secs => %s)",
        (tenant_id, GRACE_S),
    )
    return tx.rowcount


async def find_tenant(db: Database, tenant: str) -> str | None:
    """Return the id of a tenant by its name or id; None if there is none."""

    async def read(tx: Transaction) -> str | None:
        await tx.execute(
            "SELECT tenant_id::text FROM tenant WHERE tenant_id::text = %s OR name = %s ORDER BY tenant_id::text = %s DESC",
            (tenant, tenant, tenant),
        )
        row = tx.fetchone()
        return None if row is None else str(row[0])

    return await db.run("secrets.tenant", read)
