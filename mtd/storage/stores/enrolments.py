"""What the hub writes about collectors across tenants: who enrols isn't known yet, and who is known serves several."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from mtd.core.errors import NotFound, QuotaExceeded, Unauthenticated
from mtd.model.collector import CollectorCertificate
from mtd.storage.pool import Database
from mtd.storage.stores.collectors import CERTIFICATE_COLUMNS, certificates_of
from mtd.storage.txn import Transaction

MOST_GOOD = 10
"""Certificates that a collector may have at a time: one is in use, and one may follow it."""
SUPERSEDED = "superseded: the collector enrolled again"


class TokenFault(enum.StrEnum):
    """Why an enrolment token is refused."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REPLAYED = "replayed"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class RefusedToken:
    """A token that is no good. ``tenant_id`` is empty unless its secret was right."""

    fault: TokenFault
    tenant_id: str = ""
    collector: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A collector as callers are checked against it; ``tenants`` that it serves, its own first."""

    collector_id: str
    name: str
    tenants: tuple[str, ...]
    enabled: bool


@dataclass(frozen=True, slots=True)
class Membership:
    """All collectors by id, and the owner of each certificate that hasn't expired, by fingerprint."""

    members: Mapping[str, Member]
    certificates: Mapping[bytes, tuple[str, CollectorCertificate]]


Sign = Callable[[Member], Awaitable[CollectorCertificate]]
"""Makes the certificate of a collector."""


class EnrolmentStore:
    """Uses up tokens, stores certificates, and reads all collectors. ``writer``: a pool that sees all tenants."""

    def __init__(self, writer: Database) -> None:
        self._writer = writer

    async def enrol(
        self, token_id: str, secret_hash: bytes, peer: str, now_us: int, sign: Sign
    ) -> RefusedToken | Member:
        """Use a token up and store the certificate that ``sign`` makes, both or neither.

        Certificates that the collector had end with it: whoever has their keys is out.
        """

        async def change(tx: Transaction) -> RefusedToken | Member:
            # Held until it is stored, as those who shut a collector out hold it: what they did isn't undone here.
            await tx.execute(
                "SELECT 1 FROM collector WHERE collector_id = (SELECT collector_id FROM enrolment_token"
                " WHERE token_id = %s AND secret_hash = %s) FOR UPDATE",
                [token_id, secret_hash],
            )
            # One statement decides: of two who come at once with the same token, one finds it used.
            await tx.execute(
                "UPDATE enrolment_token t SET used_at = from_us(%(now)s), used_by_peer = %(peer)s FROM collector c"
                " WHERE t.token_id = %(id)s AND t.secret_hash = %(hash)s AND t.used_at IS NULL"
                " AND t.expires_at > from_us(%(now)s) AND c.collector_id = t.collector_id AND c.state <> 'disabled'"
                " RETURNING c.collector_id::text",
                {"now": now_us, "peer": peer, "id": token_id, "hash": secret_hash},
            )
            row = tx.fetchone()
            if row is None:
                return await _fault(tx, token_id, secret_hash, now_us)
            member = await _member(tx, row[0])
            made = await sign(member)
            await tx.execute(
                "UPDATE certificate SET revoked_at = from_us(%s), revoked_reason = %s"
                " WHERE collector_id = %s AND revoked_at IS NULL",
                [now_us, SUPERSEDED, member.collector_id],
            )
            await _insert(tx, member, made)
            await tx.execute(
                "UPDATE collector SET state = 'active', enrolled_at = from_us(%s) WHERE collector_id = %s",
                [now_us, member.collector_id],
            )
            return member

        return await self._writer.run("collectors.enrol", change)

    async def renew(self, collector_id: str, shown: bytes, now_us: int, sign: Sign) -> Member:
        """Store a further certificate of a collector, which showed the one with the fingerprint ``shown``.

        Raises NotFound if it isn't there or shut out, Unauthenticated if what it showed was revoked meanwhile, and
        QuotaExceeded if it has plenty that are good.
        """

        async def change(tx: Transaction) -> Member:
            # Whoever revokes all holds it, too: what is stored here is then among them, or isn't stored.
            await tx.execute("SELECT 1 FROM collector WHERE collector_id = %s FOR UPDATE", [collector_id])
            member = await _member(tx, collector_id)
            if not member.enabled:
                raise NotFound("the collector is shut out")
            await tx.execute(
                "SELECT fingerprint FROM certificate WHERE collector_id = %s AND revoked_at IS NULL"
                " AND not_after > from_us(%s)",
                [collector_id, now_us],
            )
            good = {bytes(row[0]) for row in tx.fetchall()}
            if shown not in good:
                raise Unauthenticated("the certificate was revoked or has expired: enrol again")
            if len(good) >= MOST_GOOD:
                raise QuotaExceeded(
                    f"the collector {member.name!r} has {len(good)} certificates that are good: it needs no more",
                    hint="an administrator can end those that aren't used: mtd collector revoke",
                )
            await _insert(tx, member, await sign(member))
            return member

        return await self._writer.run("collectors.renew", change)

    async def membership(self, now_us: int) -> Membership:
        """Return all collectors, and their certificates that haven't expired, whether revoked or not."""

        async def read(tx: Transaction) -> Membership:
            await tx.execute(_members())
            members = {row[0]: _as_member(row) for row in tx.fetchall()}
            await tx.execute(
                f"SELECT {CERTIFICATE_COLUMNS} FROM certificate WHERE not_after > from_us(%s)", [now_us]
            )
            by_collector = certificates_of(tx.fetchall())
            return Membership(
                members,
                {
                    one.fingerprint: (collector_id, one)
                    for collector_id, found in by_collector.items()
                    for one in found
                },
            )

        return await self._writer.run("collectors.membership", read)

    async def serve(self, collector_id: str, tenant_ids: Sequence[str]) -> None:
        """Set which tenants a collector serves beside its own. Raises NotFound."""

        async def change(tx: Transaction) -> None:
            home = (await _member(tx, collector_id)).tenants[0]
            await tx.execute(
                "DELETE FROM collector_tenant WHERE collector_id = %s AND tenant_id <> ALL (%s::uuid[])",
                [collector_id, list(tenant_ids)],
            )
            await tx.execute(
                "INSERT INTO collector_tenant (tenant_id, collector_id) SELECT tenant_id, %s"
                " FROM unnest(%s::uuid[]) AS t (tenant_id) WHERE tenant_id <> %s ON CONFLICT DO NOTHING",
                [collector_id, list(tenant_ids), home],
            )

        await self._writer.run("collectors.serve", change)

    async def served(self, collector_ids: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the tenants that collectors serve beside their own, by collector."""

        async def read(tx: Transaction) -> Mapping[str, Sequence[str]]:
            await tx.execute(
                "SELECT collector_id::text, array_agg(tenant_id::text ORDER BY tenant_id) FROM collector_tenant"
                " WHERE collector_id = ANY (%s::uuid[]) GROUP BY collector_id",
                [list(collector_ids)],
            )
            return {collector_id: tenants for collector_id, tenants in tx.fetchall()}

        return await self._writer.run("collectors.served", read)

    async def seen(self, seen: Mapping[str, tuple[int, str]]) -> None:
        """Note when collectors called last, and from where."""

        async def write(tx: Transaction) -> None:
            await tx.execute(
                "UPDATE collector c SET last_seen_at = from_us(s.us), last_seen_peer = s.peer"
                " FROM unnest(%s::uuid[], %s::int8[], %s::text[]) AS s (collector_id, us, peer)"
                " WHERE c.collector_id = s.collector_id",
                [list(seen), [us for us, _ in seen.values()], [peer for _, peer in seen.values()]],
            )

        await self._writer.run("collectors.seen", write, durable=False)

    async def forget(self, before_us: int) -> int:
        """Forget tokens and certificates that expired before; return how many."""

        async def write(tx: Transaction) -> int:
            await tx.execute("DELETE FROM enrolment_token WHERE expires_at < from_us(%s)", [before_us])
            gone = tx.rowcount
            await tx.execute("DELETE FROM certificate WHERE not_after < from_us(%s)", [before_us])
            return gone + tx.rowcount

        return await self._writer.run("collectors.forget", write)


def _members(where: str = "") -> str:
    """Collectors with the tenants that they serve; a tenant that is switched off isn't served."""
    return (
        "SELECT c.collector_id::text, c.name, c.tenant_id::text, c.state <> 'disabled' AND h.enabled,"
        " coalesce(array_agg(t.tenant_id::text ORDER BY t.tenant_id) FILTER (WHERE t.enabled), '{}')"
        " FROM collector c JOIN tenant h ON h.tenant_id = c.tenant_id"
        " LEFT JOIN collector_tenant s ON s.collector_id = c.collector_id"
        f" LEFT JOIN tenant t ON t.tenant_id = s.tenant_id{where} GROUP BY c.tenant_id, c.collector_id, h.enabled"
    )


async def _member(tx: Transaction, collector_id: str) -> Member:
    await tx.execute(_members(" WHERE c.collector_id = %s"), [collector_id])
    row = tx.fetchone()
    if row is None:
        raise NotFound("the collector isn't there any more")
    return _as_member(row)


def _as_member(row: Sequence[object]) -> Member:
    collector_id, name, home, enabled, served = row
    return Member(str(collector_id), str(name), (str(home), *served), bool(enabled))  # type: ignore[misc]


async def _fault(tx: Transaction, token_id: str, secret_hash: bytes, now_us: int) -> RefusedToken:
    await tx.execute(
        "SELECT t.tenant_id::text, c.name, t.used_at IS NOT NULL, t.expires_at <= from_us(%s) FROM enrolment_token t"
        " JOIN collector c USING (collector_id) WHERE t.token_id = %s AND t.secret_hash = %s",
        [now_us, token_id, secret_hash],
    )
    row = tx.fetchone()
    if row is None:
        return RefusedToken(TokenFault.UNKNOWN)
    tenant_id, collector, used, expired = row
    fault = TokenFault.REPLAYED if used else TokenFault.EXPIRED if expired else TokenFault.DISABLED
    return RefusedToken(fault, tenant_id, collector)


async def _insert(tx: Transaction, member: Member, made: CollectorCertificate) -> None:
    await tx.execute(
        "INSERT INTO certificate (tenant_id, fingerprint, collector_id, serial, authority, issued_at, not_after)"
        " VALUES (%s, %s, %s, %s, %s, from_us(%s), from_us(%s))",
        [
            *(member.tenants[0], made.fingerprint, member.collector_id, made.serial, made.authority),
            *(made.issued_us, made.not_after_us),
        ],
    )
