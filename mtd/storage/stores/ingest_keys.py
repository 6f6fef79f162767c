"""Keys by which programs sign what they send: made, given new secrets, ended."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mtd.core.errors import AlreadyExists, NotFound, QuotaExceeded
from mtd.security.errors import SecretUnreadable
from mtd.security.interfaces import Bond, ISecretOpener, ISecretSealer
from mtd.storage import literals
from mtd.storage.errors import Duplicate
from mtd.storage.pool import Database
from mtd.storage.stores.data_keys import DataKeys
from mtd.storage.stores.sealed_columns import INGEST_KEY
from mtd.storage.txn import Row, Transaction

CHANNEL = "mtd_ingest_key"
MOST_KEYS = 1000
"""Good keys of one tenant: all of them are kept in memory."""

_ID_PREFIX = "ik_"
_ID_BYTES = 9
_SECRET_BYTES = 32
_COLUMNS = (
    "key_id, tenant_id, name, created_at, rotated_at, revoked_at, last_used_at,"
    " (SELECT max(s.good_until) FROM ingest_key_secret s WHERE s.key_id = k.key_id AND s.good_until > now())"
)


@dataclass(frozen=True, slots=True)
class IngestKeyRecord:
    """A key, without its secrets. ``old_until``: how long the secret before the last is good, if it is."""

    key_id: str
    tenant_id: str
    name: str
    created_at: dt.datetime
    rotated_at: dt.datetime
    revoked_at: dt.datetime | None
    last_used_at: dt.datetime | None
    old_until: dt.datetime | None


@dataclass(frozen=True, slots=True)
class GoodKey:
    """A key as signatures are held against it. ``secrets``: each with the time that it is good until, if any."""

    key_id: str
    tenant_id: str
    name: str
    secrets: Sequence[tuple[bytes, dt.datetime | None]] = field(repr=False)


class IngestKeyStore:
    """Changes the keys of a tenant, as its administrators ask for it. Opens no secret."""

    def __init__(self, db: Database, sealer: ISecretSealer) -> None:
        self._db = db
        self._sealer = sealer

    async def create(self, tenant_id: str, name: str) -> tuple[IngestKeyRecord, str]:
        """Make a key; return it with its secret. Raises AlreadyExists, QuotaExceeded."""
        key_id, secret = _ID_PREFIX + secrets.token_urlsafe(_ID_BYTES), _new_secret()

        async def insert(tx: Transaction) -> IngestKeyRecord:
            await tx.execute(
                "SELECT count(*) FROM ingest_key WHERE tenant_id = %s AND revoked_at IS NULL", (tenant_id,)
            )
            (count,) = tx.fetchone() or (0,)
            if count >= MOST_KEYS:
                raise QuotaExceeded(f"the tenant has {count} keys already", hint="revoke those not in use")
            await tx.execute(
                "INSERT INTO ingest_key AS k (tenant_id, key_id, name) VALUES (%s, %s, %s)",
                (tenant_id, key_id, name),
            )
            await self._put_secret(tx, tenant_id, key_id, secret)
            return await _find(tx, tenant_id, key_id)

        try:
            return await self._db.run("ingest_keys.create", insert, tenant=tenant_id), secret
        except Duplicate:
            raise AlreadyExists(f"there is a key {name!r} already") from None

    async def get(self, tenant_id: str, key: str) -> IngestKeyRecord:
        """Return a key by its id or name. Raises NotFound."""

        async def read(tx: Transaction) -> IngestKeyRecord:
            return await _find(tx, tenant_id, key)

        return await self._db.run("ingest_keys.get", read, tenant=tenant_id)

    async def list(self, tenant_id: str, after: tuple[str, str], limit: int) -> Sequence[IngestKeyRecord]:
        """Return keys by name and id, at most ``limit`` behind a name and an id; revoked ones, too."""

        async def read(tx: Transaction) -> list[IngestKeyRecord]:
            await tx.execute(
                f"SELECT {_COLUMNS} FROM ingest_key k WHERE tenant_id = %s AND (name, key_id) > (%s, %s)"
                " ORDER BY name, key_id LIMIT %s",
                (tenant_id, *after, limit),
            )
            return [IngestKeyRecord(*row) for row in tx.fetchall()]

        return await self._db.run("ingest_keys.list", read, tenant=tenant_id)

    async def rotate(self, tenant_id: str, key: str, overlap_s: int) -> tuple[IngestKeyRecord, str]:
        """Give a key a new secret, and return it; the one before stays good for a while. Raises NotFound."""
        secret = _new_secret()

        async def change(tx: Transaction) -> IngestKeyRecord:
            found = await _find(tx, tenant_id, key, good=True)
            # Only the last one stays: who rotates twice wants the first to be gone.
            await tx.execute(
                "DELETE FROM ingest_key_secret WHERE key_id = %s AND (good_until IS NOT NULL OR %s = 0)",
                (found.key_id, overlap_s),
            )
            await tx.execute(
                "UPDATE ingest_key_secret SET good_until = now() + %s * interval '1 second' WHERE key_id = %s",
                (overlap_s, found.key_id),
            )
            await self._put_secret(tx, tenant_id, found.key_id, secret)
            await tx.execute("UPDATE ingest_key SET rotated_at = now() WHERE key_id = %s", (found.key_id,))
            return await _find(tx, tenant_id, found.key_id)

        return await self._db.run("ingest_keys.rotate", change, tenant=tenant_id), secret

    async def revoke(self, tenant_id: str, key: str) -> IngestKeyRecord:
        """End a key: its secrets are deleted. Raises NotFound."""

        async def change(tx: Transaction) -> IngestKeyRecord:
            found = await _find(tx, tenant_id, key)
            await tx.execute("DELETE FROM ingest_key_secret WHERE key_id = %s", (found.key_id,))
            await tx.execute(
                "UPDATE ingest_key SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = %s",
                (found.key_id,),
            )
            return await _find(tx, tenant_id, found.key_id)

        return await self._db.run("ingest_keys.revoke", change, tenant=tenant_id)

    async def _put_secret(self, tx: Transaction, tenant_id: str, key_id: str, secret: str) -> None:
        sealing = await self._sealer.sealing(DataKeys(tx), tenant_id)
        generation = secrets.token_hex(8)
        sealed = sealing.seal(Bond(tenant_id, INGEST_KEY, key_id, generation), secret)
        await tx.execute(
            "INSERT INTO ingest_key_secret (tenant_id, key_id, generation, secret) VALUES (%s, %s, %s, %s)",
            (tenant_id, key_id, generation, sealed),
        )


class GoodKeys:
    """Reads the keys of all tenants with their secrets, for who verifies signatures."""

    def __init__(self, db: Database, opener: ISecretOpener) -> None:
        self._db = db
        self._opener = opener

    async def load(self) -> tuple[Mapping[str, GoodKey], Sequence[str]]:
        """Return all good keys by id, and why some of them can't be used."""

        async def read(tx: Transaction) -> tuple[Mapping[str, GoodKey], Sequence[str]]:
            await tx.execute(
                "SELECT k.key_id, k.tenant_id, k.name, s.generation, s.secret, s.good_until"
                " FROM ingest_key k JOIN ingest_key_secret s USING (key_id) WHERE k.revoked_at IS NULL"
                " AND (s.good_until IS NULL OR s.good_until > now()) ORDER BY s.made_at DESC"
            )
            return await self._opened(tx, tx.fetchall())

        return await self._db.run("ingest_keys.load", read)

    async def _opened(
        self, tx: Transaction, rows: Sequence[Row]
    ) -> tuple[Mapping[str, GoodKey], Sequence[str]]:
        opening = await self._opener.opening(DataKeys(tx), [bytes(row[4]) for row in rows])
        found: dict[str, tuple[str, str, list[tuple[bytes, dt.datetime | None]]]] = {}
        problems = []
        for key_id, tenant_id, name, generation, sealed, good_until in rows:
            bond = Bond(str(tenant_id), INGEST_KEY, key_id, generation)
            try:
                secret = opening.open(bond, bytes(sealed))
            except SecretUnreadable as error:
                problems.append(f"the ingest key {name} can't be used: {error}")
                continue
            found.setdefault(key_id, (str(tenant_id), name, []))[2].append((secret.encode(), good_until))
        return {key_id: GoodKey(key_id, *rest) for key_id, rest in found.items()}, problems

    async def spend(self, tenant_id: str, key_id: str, nonce: str, deadline_s: float) -> bool:
        """Note that a nonce was used; false if it was before, at whichever hub."""

        async def write(tx: Transaction) -> bool:
            await tx.execute(
                "INSERT INTO ingest_nonce (tenant_id, key_id, nonce) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                (tenant_id, key_id, nonce),
            )
            return tx.rowcount == 1

        return await self._db.run("ingest_keys.spend", write, deadline_s=deadline_s, durable=False)

    async def forget_nonces(self, older_than_s: float) -> None:
        """Forget nonces whose signatures are no good any more."""

        async def delete(tx: Transaction) -> None:
            await tx.execute(
                "DELETE FROM ingest_nonce WHERE used_at < now() - %s * interval '1 second'", (older_than_s,)
            )

        await self._db.run("ingest_keys.forget_nonces", delete, durable=False)

    async def touch(self, used: Mapping[str, dt.datetime]) -> None:
        """Note when keys were used last."""

        async def write(tx: Transaction) -> None:
            await tx.execute(
                "UPDATE ingest_key k SET last_used_at = greatest(k.last_used_at, t.used_at)"
                " FROM unnest(%s::text[], %s::timestamptz[]) AS t (key_id, used_at) WHERE k.key_id = t.key_id",
                (literals.texts(used), literals.texts(when.isoformat() for when in used.values())),
            )

        if used:
            await self._db.run("ingest_keys.touch", write)


def _new_secret() -> str:
    return secrets.token_urlsafe(_SECRET_BYTES)


async def _find(tx: Transaction, tenant_id: str, key: str, *, good: bool = False) -> IngestKeyRecord:
    await tx.execute(
        f"SELECT {_COLUMNS} FROM ingest_key k WHERE tenant_id = %s AND (key_id = %s OR name = %s)"
        " AND (revoked_at IS NULL OR NOT %s) ORDER BY key_id = %s DESC, revoked_at IS NULL DESC, created_at DESC LIMIT 1",
        (tenant_id, key, key, good, key),
    )
    row = tx.fetchone()
    if row is None:
        raise NotFound(f"there is no ingest key {key!r}" + (" that is good" if good else ""))
    return IngestKeyRecord(*row)
