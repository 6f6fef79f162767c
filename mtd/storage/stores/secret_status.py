"""What seals what: keys, how many secrets each has sealed, and what can't be opened. Shows no secret."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from mtd.security.datakeys import cipher_of
from mtd.security.errors import SecretUnreadable
from mtd.security.interfaces import WrappedKey
from mtd.security.sealed import data_key_of, master_key_of
from mtd.security.vault import Vault
from mtd.storage.pool import Database
from mtd.storage.stores.data_keys import DataKeys
from mtd.storage.stores.sealed_columns import SEALED_COLUMNS, SealedColumn
from mtd.storage.txn import Transaction

_BATCH = 500


@dataclass(frozen=True, slots=True)
class MasterUse:
    """A master key: whether it is at hand, the data keys that it wraps, the secrets of old that it sealed itself."""

    key_id: str
    present: bool
    newest: bool
    data_keys: int
    first_version_secrets: int


@dataclass(frozen=True, slots=True)
class DataKeyUse:
    """A data key, and the secrets that it has sealed. ``problem``: why it can't be used; ``tenant``: its name."""

    tenant_id: str
    key_id: str
    master_key_id: str
    created_at: dt.datetime
    complete_at: dt.datetime | None
    retired_at: dt.datetime | None
    secrets: int
    problem: str = ""
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """How the secrets are kept. ``unreadable`` says of each that can't be opened why, and what to do."""

    master_keys: Sequence[MasterUse]
    data_keys: Sequence[DataKeyUse]
    secrets: int
    references: int
    unreadable: Sequence[str]

    @property
    def advice(self) -> list[str]:
        """Return what to do, the most pressing first; nothing if all is well."""
        found = []
        if self.unreadable:
            found.append(f"{len(self.unreadable)} secrets can't be opened: see each for what to do")
        found += [
            f"put master key {one.key_id} back into its file from the backup: {one.data_keys} data keys and"
            f" {one.first_version_secrets} secrets need it"
            for one in self.master_keys
            if not one.present
        ]
        newest = next((one for one in self.master_keys if one.newest), None)
        used = [one for one in self.master_keys if one.data_keys or one.first_version_secrets]
        if newest is not None and any(not one.newest for one in used):
            found.append("run `mtd secrets rotate --master`: an older master key is still needed")
        if any(one.retired_at is None and one.complete_at is None for one in self.data_keys):
            found.append("run `mtd secrets rotate --data-keys`: a rotation wasn't finished")
        found += [
            f"master key {one.key_id} seals nothing any more: keep its line for backups of the database from before"
            " the rotation, and to look up subscribers' pseudonyms if it is the last line; else take it out"
            for one in self.master_keys
            if one.present and not one.newest and one not in used
        ]
        return found


async def secret_status(db: Database, vault: Vault) -> SecretStatus:
    """Look at all keys, and try to open all secrets."""
    await vault.masters.refresh()
    sealed_by: Counter[str] = Counter()
    first: Counter[str] = Counter()
    unreadable: list[str] = []

    for column in SEALED_COLUMNS:
        after = ("", "", "")
        while True:
            rows, problems = await db.run("secrets.look", partial(_look, vault, column, after))
            unreadable += problems
            for *_, sealed in rows:
                sealed_by[data_key_of(sealed) or ""] += 1
                first[(master_key_of(sealed) or b"").hex()] += 1
            if len(rows) < _BATCH:
                break
            after = rows[-1][:3]
    keys = await db.run("secrets.keys", _read_keys)
    references = await db.run("secrets.references", _count_references)
    data_keys = [
        DataKeyUse(
            *(key.tenant_id, key.key_id, key.master_key_id.hex()),
            *times,
            sealed_by[key.key_id],
            _problem(key, vault),
            tenant,
        )
        for key, times, tenant in keys
    ]
    first.pop("", None)
    return SecretStatus(
        _masters(vault, data_keys, first), data_keys, sum(sealed_by.values()), references, unreadable
    )


def _masters(vault: Vault, data_keys: Sequence[DataKeyUse], first: Counter[str]) -> list[MasterUse]:
    wraps = Counter(key.master_key_id for key in data_keys)
    present = [key.key_id.hex() for key in vault.masters.all]
    others = sorted((wraps.keys() | first.keys()) - set(present))
    return [
        MasterUse(key_id, key_id in present, key_id == present[0], wraps[key_id], first[key_id])
        for key_id in (*present, *others)
    ]


def _problem(key: WrappedKey, vault: Vault) -> str:
    try:
        cipher_of(key, vault.masters)
    except SecretUnreadable as error:
        return str(error)
    return ""


Rows = list[tuple[str, str, str, bytes]]


async def _look(
    vault: Vault, column: SealedColumn, after: tuple[str, str, str], tx: Transaction
) -> tuple[Rows, list[str]]:
    await tx.execute(
        f"SELECT tenant_id::text, {column.key}, secret FROM {column.table} WHERE secret IS NOT NULL"
        f" AND (tenant_id::text, {column.key}) > (%s, %s, %s) ORDER BY 1, 2, 3 LIMIT %s",
        (*after, _BATCH),
    )
    rows = [(tenant_id, owner_id, kind, bytes(sealed)) for tenant_id, owner_id, kind, sealed in tx.fetchall()]
    opening = await vault.opener.opening(DataKeys(tx), [sealed for *_, sealed in rows])
    problems = []
    for tenant_id, owner_id, kind, sealed in rows:
        try:
            opening.open(column.bond(tenant_id, owner_id, kind), sealed)
        except SecretUnreadable as error:
            problems.append(str(error))
    return rows, problems


Times = tuple[dt.datetime, dt.datetime | None, dt.datetime | None]


async def _read_keys(tx: Transaction) -> list[tuple[WrappedKey, Times, str]]:
    await tx.execute(
        "SELECT tenant_id::text, key_id::text, wrapped, master_key_id, k.created_at, complete_at, retired_at,"
        " coalesce(t.name, '') FROM tenant_data_key k LEFT JOIN tenant t USING (tenant_id)"
        " ORDER BY tenant_id, k.created_at, key_id"
    )
    return [
        (WrappedKey(tenant_id, key_id, bytes(wrapped), bytes(master)), (made, complete, retired), tenant)
        for tenant_id, key_id, wrapped, master, made, complete, retired, tenant in tx.fetchall()
    ]


async def _count_references(tx: Transaction) -> int:
    await tx.execute("SELECT count(*) FROM credential_secret WHERE reference IS NOT NULL")
    row = tx.fetchone()
    return int(row[0]) if row else 0
