"""Ids of requests that were made within the last day, and what was answered."""

from __future__ import annotations

from dataclasses import dataclass

from mtd.storage.pool import Database
from mtd.storage.txn import Transaction

_KEPT = "24 hours"
# Whoever claimed an id and is gone, gave no answer: the daemon ended meanwhile.
_ABANDONED = "10 minutes"
_PRUNED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class StoredRequest:
    """A request whose id was claimed before; ``answer`` is None if it isn't kept, or not there yet."""

    method: str
    digest: bytes
    done: bool
    answer: bytes | None


class StoredRequests:
    """The ids that callers of a tenant gave to requests. Old ones leave when new ones come."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def claim(
        self, tenant_id: str, request_id: str, method: str, digest: bytes
    ) -> StoredRequest | None:
        """Take an id for a request; return what is known of it if it was taken before."""

        async def take(tx: Transaction) -> StoredRequest | None:
            await tx.execute(
                "DELETE FROM api_request WHERE (tenant_id, request_id) IN (SELECT tenant_id, request_id FROM api_request"
                f" WHERE tenant_id = %s AND (claimed_at < now() - interval '{_KEPT}'"
                f" OR done_at IS NULL AND claimed_at < now() - interval '{_ABANDONED}')"
                f" LIMIT {_PRUNED_AT_ONCE} FOR UPDATE SKIP LOCKED)",
                (tenant_id,),
            )
            await tx.execute(
                "INSERT INTO api_request (tenant_id, request_id, method, digest) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (tenant_id, request_id) DO NOTHING RETURNING request_id",
                (tenant_id, request_id, method, digest),
            )
            if tx.fetchall():
                return None
            await tx.execute(
                "SELECT method, digest, done_at IS NOT NULL, answer FROM api_request"
                " WHERE tenant_id = %s AND request_id = %s",
                (tenant_id, request_id),
            )
            # None: whoever had it gave it back in this moment. Until it is asked again, it is under way.
            rows = tx.fetchall()
            if not rows:
                return StoredRequest(method, digest, done=False, answer=None)
            found_method, found_digest, done, answer = rows[0]
            return StoredRequest(
                found_method, bytes(found_digest), done, None if answer is None else bytes(answer)
            )

        return await self._db.run("requests.claim", take, tenant=tenant_id)

    async def keep(self, tenant_id: str, request_id: str, answer: bytes | None) -> None:
        """Note that a request was done."""

        async def write(tx: Transaction) -> None:
            await tx.execute(
                "UPDATE api_request SET done_at = now(), answer = %s WHERE tenant_id = %s AND request_id = %s",
                (answer, tenant_id, request_id),
            )

        await self._db.run("requests.keep", write, tenant=tenant_id)

    async def release(self, tenant_id: str, request_id: str) -> None:
        """Give an id back: its request failed."""

        async def drop(tx: Transaction) -> None:
            await tx.execute(
                "DELETE FROM api_request WHERE tenant_id = %s AND request_id = %s AND done_at IS NULL",
                (tenant_id, request_id),
            )

        await self._db.run("requests.release", drop, tenant=tenant_id)


async def prune_requests(db: Database) -> int:
    """Delete what is older than a day, of all tenants: for the writer. Returns how many it was."""

    async def drop(tx: Transaction) -> int:
        await tx.execute(
            "DELETE FROM api_request WHERE (tenant_id, request_id) IN (SELECT tenant_id, request_id FROM api_request"
            f" WHERE claimed_at < now() - interval '{_KEPT}' LIMIT {_PRUNED_AT_ONCE} FOR UPDATE SKIP LOCKED)"
            " RETURNING request_id"
        )
        return len(tx.fetchall())

    total = 0
    while True:
        dropped = await db.run("requests.prune", drop)
        total += dropped
        if dropped < _PRUNED_AT_ONCE:
            return total
