"""API tokens: what they may be used for, and digests of their secrets."""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from mtd.core.errors import AlreadyExists, NotFound, QuotaExceeded, Refused
from mtd.model.principal import Role
from mtd.model.tenant import NO_TENANT_ID, name_problem
from mtd.security.tokens import Token, new_token, new_token_id
from mtd.storage.errors import Duplicate
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

_USED_EVERY_S = 300
_MOST_TOKENS = 1000


@dataclass(frozen=True, slots=True)
class NewToken:
    """What a token is made of. Without ``expires_at`` it never expires."""

    name: str
    role: Role
    scopes: Sequence[str]
    created_by: str
    expires_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it is stored. ``last_used_at`` is coarse."""

    tenant_id: str
    token_id: str
    name: str
    role: Role
    scopes: frozenset[str]
    created_by: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    rotated_at: dt.datetime | None
    previous_until: dt.datetime | None
    last_used_at: dt.datetime | None
    revoked_at: dt.datetime | None


@dataclass(frozen=True, slots=True, repr=False)
class TokenProof:
    """A token, and what is shown is compared with."""

    token: TokenRecord
    digest: bytes
    previous_digest: bytes

    def proves(self, digest: bytes, now: dt.datetime) -> bool:
        """Whether a digest is that of the token's secret, or of the one before while that is good."""
        if hmac.compare_digest(digest, self.digest):
            return True
        until = self.token.previous_until
        return until is not None and now < until and hmac.compare_digest(digest, self.previous_digest)

    def knows(self, digest: bytes) -> bool:
        """Whether a digest is that of a secret that the token has, or had last, good or not."""
        now, before = (
            hmac.compare_digest(digest, self.digest),
            hmac.compare_digest(digest, self.previous_digest),
        )
        return now or before


class TokenStore:
    """Creates, reads, rotates and revokes tokens.

    ``doors`` sees one tenant at a time; ``writer`` sees all, to find whose a token is, and for super-admins.
    """

    def __init__(self, doors: Database, writer: Database) -> None:
        self._doors = doors
        self._writer = writer

    async def create(self, tenant_id: str, new: NewToken) -> tuple[TokenRecord, Token]:
        """Add a token; its secret is in what is returned, and nowhere else.

        Raises AlreadyExists, Refused and QuotaExceeded.
        """
        if problem := name_problem(new.name):
            raise Refused(f"name: {problem}")
        token = new_token(new_token_id())

        async def insert(tx: Transaction) -> TokenRecord:
            await tx.execute(
                "SELECT count(*) FROM api_token WHERE tenant_id = %s AND revoked_at IS NULL", [tenant_id]
            )
            row = tx.fetchone()
            if row and row[0] >= _MOST_TOKENS:
                raise QuotaExceeded(f"there are {row[0]} tokens already: revoke those that aren't needed")
            await tx.execute(
                "INSERT INTO api_token (tenant_id, token_id, name, role, scopes, secret_hash, expires_at, created_by)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    *(tenant_id, token.token_id, new.name, new.role.word, sorted(set(new.scopes))),
                    *(token.digest, new.expires_at, new.created_by),
                ],
            )
            return await _find(tx, tenant_id, token.token_id)

        try:
            record = await self._of(tenant_id).run("tokens.create", insert, tenant=tenant_id)
        except Duplicate:
            raise AlreadyExists(f"there is a token {new.name!r} already") from None
        return record, token

    async def get(self, tenant_id: str, token: str) -> TokenRecord:
        """Return a token by its id, or by its name unless it was revoked. Raises NotFound."""

        async def read(tx: Transaction) -> TokenRecord:
            return await _find(tx, tenant_id, token)

        return await self._of(tenant_id).run("tokens.get", read, tenant=tenant_id)

    async def list(
        self, tenant_id: str, *, revoked: bool = False, after_id: str = "", limit: int = 100
    ) -> list[TokenRecord]:
        """Return tokens by id, at most ``limit`` behind ``after_id``; with ``revoked`` also those."""

        async def read(tx: Transaction) -> list[TokenRecord]:
            await tx.execute(
                f"SELECT {_COLUMNS} FROM api_token WHERE tenant_id = %s AND token_id > %s"
                " AND (%s OR revoked_at IS NULL) ORDER BY token_id LIMIT %s",
                [tenant_id, after_id, revoked, limit],
            )
            return [_record(row) for row in tx.fetchall()]

        return await self._of(tenant_id).run("tokens.list", read, tenant=tenant_id)

    async def rotate(
        self, tenant_id: str, token: str, overlap_s: float, expires_at: dt.datetime | None = None
    ) -> tuple[TokenRecord, Token]:
        """Give a token a new secret; the one it had stays good for so long, the one before that no more.

        Raises NotFound, and Refused for a token that was revoked or has expired.
        """

        async def change(tx: Transaction) -> tuple[TokenRecord, Token]:
            found = await _find(tx, tenant_id, token, lock=True)
            await _refuse_ended(tx, found)
            made = new_token(found.token_id)
            keeps = overlap_s > 0
            await tx.execute(
                "UPDATE api_token SET secret_hash = %s, previous_hash = CASE WHEN %s THEN secret_hash END,"
                " previous_until = CASE WHEN %s THEN now() + %s * interval '1 second' END, rotated_at = now(),"
                " expires_at = coalesce(%s, expires_at) WHERE tenant_id = %s AND token_id = %s",
                [made.digest, keeps, keeps, overlap_s, expires_at, tenant_id, found.token_id],
            )
            return await _find(tx, tenant_id, found.token_id), made

        return await self._of(tenant_id).run("tokens.rotate", change, tenant=tenant_id)

    async def revoke(self, tenant_id: str, token: str) -> TokenRecord:
        """End a token, for good. Raises NotFound."""

        async def change(tx: Transaction) -> TokenRecord:
            found = await _find(tx, tenant_id, token, lock=True)
            await tx.execute(
                "UPDATE api_token SET revoked_at = coalesce(revoked_at, now()), previous_hash = NULL,"
                " previous_until = NULL WHERE tenant_id = %s AND token_id = %s",
                [tenant_id, found.token_id],
            )
            return await _find(tx, tenant_id, found.token_id)

        return await self._of(tenant_id).run("tokens.revoke", change, tenant=tenant_id)

    # -- for those who show a token: their tenant isn't known yet -------------------

    async def find(self, token_id: str) -> TokenProof | None:
        """Return a token of any tenant by its id; None if there is none."""

        async def read(tx: Transaction) -> TokenProof | None:
            await tx.execute(
                f"SELECT {_COLUMNS}, secret_hash, previous_hash FROM api_token WHERE token_id = %s",
                [token_id],
            )
            row = tx.fetchone()
            return (
                None if row is None else TokenProof(_record(row[:-2]), bytes(row[-2]), bytes(row[-1] or b""))
            )

        return await self._writer.run("tokens.find", read)

    async def used(self, token: TokenRecord) -> None:
        """Note that a token was used, unless that is noted of the last minutes."""

        async def write(tx: Transaction) -> None:
            await tx.execute(
                "UPDATE api_token SET last_used_at = now() WHERE tenant_id = %s AND token_id = %s"
                " AND (last_used_at IS NULL OR last_used_at < now() - %s * interval '1 second')",
                [token.tenant_id, token.token_id, _USED_EVERY_S],
            )

        await self._writer.run("tokens.used", write, durable=False)

    def _of(self, tenant_id: str) -> Database:
        return self._writer if tenant_id == NO_TENANT_ID else self._doors


_COLUMNS = (
    "tenant_id::text, token_id, name, role, scopes, created_by, created_at, expires_at, rotated_at, previous_until,"
    " last_used_at, revoked_at"
)


async def _find(tx: Transaction, tenant_id: str, token: str, *, lock: bool = False) -> TokenRecord:
    # A name may look like an id, so the id goes first.
    await tx.execute(
        f"SELECT {_COLUMNS} FROM api_token WHERE tenant_id = %s AND (token_id = %s OR (name = %s AND revoked_at IS NULL))"
        f" ORDER BY token_id = %s DESC LIMIT 1{' FOR UPDATE' if lock else ''}",
        [tenant_id, token, token, token],
    )
    row = tx.fetchone()
    if row is None:
        raise NotFound(f"there is no token {token[:100]!r}")
    return _record(row)


async def _refuse_ended(tx: Transaction, token: TokenRecord) -> None:
    if token.revoked_at is not None:
        raise Refused(f"the token {token.name!r} was revoked: create another one")
    await tx.execute("SELECT %s < now()", [token.expires_at])
    row = tx.fetchone()
    if row and row[0]:
        raise Refused(f"the token {token.name!r} has expired: create another one")


def _record(row: Row) -> TokenRecord:
    tenant_id, token_id, name, role, scopes, *others = row
    return TokenRecord(tenant_id, token_id, name, Role.of_word(role), frozenset(scopes), *others)
