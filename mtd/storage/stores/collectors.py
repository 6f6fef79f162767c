"""Collectors, the tokens with which they enrol, and their certificates."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mtd.core.errors import NotFound, Refused
from mtd.model.collector import Collector, CollectorCertificate, CollectorState
from mtd.model.tenant import Quota, name_problem
from mtd.storage.errors import Duplicate
from mtd.storage.pool import Database
from mtd.storage.stores.quotas import refuse_over_quota
from mtd.storage.txn import Row, Transaction

CHANNEL = "mtd_collector"
"""Notifications of what changed about collectors and their certificates: the id of the collector."""

_REASON_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class NewToken:
    """What is stored of an enrolment token."""

    token_id: str
    secret_hash: bytes
    created_by: str
    created_us: int
    expires_us: int


class CollectorStore:
    """What doors read and change: of one tenant at a time. ``now_us`` are the caller's clock."""

    def __init__(self, doors: Database) -> None:
        self._doors = doors

    async def invite(self, tenant_id: str, name: str, token: NewToken) -> Collector:
        """Store a token for a collector, which is made unless it is known.

        Raises Refused for a name that can't be and for a collector that is disabled, QuotaExceeded.
        """
        if problem := name_problem(name):
            raise Refused(f"collector: {problem}")

        async def insert(tx: Transaction) -> Collector:
            found = await _lookup(tx, tenant_id, name, token.created_us, lock=True)
            if found is None:
                await refuse_over_quota(tx, tenant_id, Quota.COLLECTORS)
                await tx.execute(
                    "INSERT INTO collector (tenant_id, name, created_by, created_at) VALUES (%s, %s, %s, from_us(%s))",
                    [tenant_id, name, token.created_by, token.created_us],
                )
                found = await _find(tx, tenant_id, name, token.created_us)
            if found.state is CollectorState.DISABLED:
                raise Refused(f"the collector {found.name!r} is disabled: enable it first")
            await tx.execute(
                "INSERT INTO enrolment_token (tenant_id, token_id, collector_id, secret_hash, created_at, created_by,"
                " expires_at) VALUES (%s, %s, %s, %s, from_us(%s), %s, from_us(%s))",
                [
                    *(tenant_id, token.token_id, found.collector_id, token.secret_hash),
                    *(token.created_us, token.created_by, token.expires_us),
                ],
            )
            return found

        try:
            return await self._doors.run("collectors.invite", insert, tenant=tenant_id)
        except Duplicate:  # two at once: the other's collector is there now
            return await self._doors.run("collectors.invite", insert, tenant=tenant_id)

    async def get(self, tenant_id: str, collector: str, now_us: int) -> Collector:
        """Return a collector by its name or id. Raises NotFound."""

        async def read(tx: Transaction) -> Collector:
            return await _find(tx, tenant_id, collector, now_us)

        return await self._doors.run("collectors.get", read, tenant=tenant_id)

    async def list(
        self, tenant_id: str, now_us: int, *, after_name: str = "", limit: int = 100
    ) -> list[Collector]:
        """Return collectors by name, at most ``limit`` behind ``after_name``."""

        async def read(tx: Transaction) -> builtins.list[Collector]:
            await tx.execute(
                f"SELECT {_COLUMNS} FROM collector WHERE tenant_id = %s AND name > %s ORDER BY name LIMIT %s",
                [tenant_id, after_name, limit],
            )
            return await _with_certificates(tx, [_collector(row) for row in tx.fetchall()], now_us)

        return await self._doors.run("collectors.list", read, tenant=tenant_id)

    async def disable(self, tenant_id: str, collector: str, now_us: int) -> Collector:
        """Shut a collector out. Raises NotFound."""

        async def change(tx: Transaction) -> Collector:
            found = await _find(tx, tenant_id, collector, now_us, lock=True)
            await _set_state(tx, found, CollectorState.DISABLED)
            return replace(found, state=CollectorState.DISABLED)

        return await self._doors.run("collectors.disable", change, tenant=tenant_id)

    async def enable(self, tenant_id: str, collector: str, now_us: int) -> Collector:
        """Let a collector in again. Raises NotFound, QuotaExceeded."""

        async def change(tx: Transaction) -> Collector:
            found = await _find(tx, tenant_id, collector, now_us, lock=True)
            if found.state is not CollectorState.DISABLED:
                return found
            await refuse_over_quota(tx, tenant_id, Quota.COLLECTORS)
            state = CollectorState.INVITED if found.enrolled_us is None else CollectorState.ACTIVE
            await _set_state(tx, found, state)
            return replace(found, state=state)

        return await self._doors.run("collectors.enable", change, tenant=tenant_id)

    async def revoke(
        self, tenant_id: str, collector: str, serial: str, reason: str, now_us: int
    ) -> tuple[Collector, int]:
        """End a certificate, or all of them and the tokens that weren't used; return how many ended.

        Raises NotFound, also if no certificate that is good has the serial number.
        """
        wanted = serial.strip().lower().lstrip("0")

        async def change(tx: Transaction) -> tuple[Collector, int]:
            found = await _find(tx, tenant_id, collector, now_us, lock=True)
            await tx.execute(
                "UPDATE certificate SET revoked_at = from_us(%s), revoked_reason = %s WHERE tenant_id = %s"
                " AND collector_id = %s AND revoked_at IS NULL AND (%s = '' OR serial = %s)",
                [now_us, reason[:_REASON_CHARACTERS], tenant_id, found.collector_id, wanted, wanted],
            )
            ended = tx.rowcount
            if wanted and not ended:
                raise NotFound(f"the collector {found.name!r} has no good certificate {serial[:100]!r}")
            if not wanted:
                await tx.execute(
                    "UPDATE enrolment_token SET expires_at = from_us(%s) WHERE tenant_id = %s AND collector_id = %s"
                    " AND used_at IS NULL AND expires_at > from_us(%s)",
                    [now_us, tenant_id, found.collector_id, now_us],
                )
                ended += tx.rowcount
            return await _find(tx, tenant_id, found.collector_id, now_us), ended

        return await self._doors.run("collectors.revoke", change, tenant=tenant_id)


_COLUMNS = (
    "tenant_id::text, collector_id::text, name, state, to_us(created_at), created_by, to_us(enrolled_at),"
    " to_us(last_seen_at), last_seen_peer"
)
CERTIFICATE_COLUMNS = (
    "collector_id::text, fingerprint, serial, authority, to_us(issued_at), to_us(not_after), to_us(revoked_at),"
    " coalesce(revoked_reason, '')"
)


async def _lookup(
    tx: Transaction, tenant_id: str, collector: str, now_us: int, *, lock: bool = False
) -> Collector | None:
    await tx.execute(
        f"SELECT {_COLUMNS} FROM collector WHERE tenant_id = %s AND (name = %s OR collector_id::text = %s)"
        f" ORDER BY name = %s DESC LIMIT 1{' FOR UPDATE' if lock else ''}",
        [tenant_id, collector, collector, collector],
    )
    row = tx.fetchone()
    return None if row is None else (await _with_certificates(tx, [_collector(row)], now_us))[0]


async def _find(
    tx: Transaction, tenant_id: str, collector: str, now_us: int, *, lock: bool = False
) -> Collector:
    found = await _lookup(tx, tenant_id, collector, now_us, lock=lock)
    if found is None:
        raise NotFound(f"there is no collector {collector[:100]!r}")
    return found


async def _set_state(tx: Transaction, collector: Collector, state: CollectorState) -> None:
    await tx.execute(
        "UPDATE collector SET state = %s WHERE tenant_id = %s AND collector_id = %s",
        [state.value, collector.tenant_id, collector.collector_id],
    )


async def _with_certificates(tx: Transaction, collectors: list[Collector], now_us: int) -> list[Collector]:
    await tx.execute(
        f"SELECT {CERTIFICATE_COLUMNS} FROM certificate WHERE collector_id = ANY (%s::uuid[])"
        " AND not_after > from_us(%s) ORDER BY issued_at DESC, serial",
        [[one.collector_id for one in collectors], now_us],
    )
    found = certificates_of(tx.fetchall())
    return [replace(one, certificates=found.get(one.collector_id, ())) for one in collectors]


def certificates_of(rows: Sequence[Row]) -> Mapping[str, list[CollectorCertificate]]:
    """Return certificates by collector, of rows of CERTIFICATE_COLUMNS."""
    found: dict[str, list[CollectorCertificate]] = {}
    for collector_id, fingerprint, serial, authority, *others in rows:
        one = CollectorCertificate(bytes(fingerprint), serial, bytes(authority), *others)
        found.setdefault(collector_id, []).append(one)
    return found


def _collector(row: Row) -> Collector:
    tenant_id, collector_id, name, state, *others = row
    return Collector(tenant_id, collector_id, name, CollectorState(state), *others)
