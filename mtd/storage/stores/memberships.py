"""Collectors that take part in polling. ``writer``: a pool that sees all tenants."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mtd.core.errors import Superseded
from mtd.model.assignment import CollectorFacts
from mtd.model.tenant import NO_TENANT_ID
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Row, Transaction

CHANNEL = "mtd_coordination"
"""Notifications: ``plan`` where the coordinator has to look again, ``assigned`` where collectors have."""

ONLINE, OFFLINE, LEFT = "online", "offline", "left"

MEMBER_COLUMNS = (
    "m.tenant_id::text, m.collector_id, m.name, m.instance_id::text, m.term, m.version, m.edge, m.tenants::text[],"
    " m.state, to_us(m.joined_at), to_us(m.changed_at)"
)


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A collector that takes part, or did. ``term`` grows each time that it joins; ``tenants`` None: all."""

    tenant_id: str
    collector_id: str
    name: str
    instance_id: str
    term: int
    version: str
    edge: bool
    tenants: frozenset[str] | None
    state: str
    joined_us: int
    changed_us: int


def member_of(row: Row) -> MemberRow:
    """Return a collector, of a row of MEMBER_COLUMNS."""
    columns = list(row)
    columns[7] = None if columns[7] is None else frozenset(columns[7])
    return MemberRow(*columns)


class MembershipStore:
    """Who takes part."""

    def __init__(self, writer: Database) -> None:
        self._writer = writer

    async def join(self, facts: CollectorFacts, lease_epoch: int, holds: Collection[str] = ()) -> None:
        """Write down that a collector takes part, by a lease that it holds.

        Under another lease than before it polls nothing but what is assigned to it, and what it holds without one:
        the rest of what it was to let go, it has.
        """

        async def write(tx: Transaction) -> None:
            await tx.execute("SELECT 1 FROM coordination FOR UPDATE")
            await tx.execute(
                "SELECT instance_id::text, lease_epoch FROM collector_membership WHERE collector_id = %s",
                [facts.collector_id],
            )
            goes_on = tx.fetchone() == (facts.instance_id, lease_epoch)
            await tx.execute(_JOIN, _parameters(facts, lease_epoch))
            if goes_on:
                return
            await tx.execute(
                "WITH t AS (SELECT a.device_id, a.device_id = ANY (%s::uuid[]) AS held FROM device_assignment a"
                "  WHERE a.collector_id = %s AND a.state = 'releasing')"
                " UPDATE device_assignment a SET state = CASE WHEN held THEN 'releasing' ELSE 'free' END,"
                " hold = CASE WHEN held THEN 'withdrawn' ELSE 'lease' END"
                " FROM t WHERE a.device_id = t.device_id AND a.collector_id = %s AND a.state = 'releasing'",
                [literals.plain(holds), facts.collector_id, facts.collector_id],
            )
            if tx.rowcount:
                await tx.execute(
                    "UPDATE coordination SET revision = revision + 1, changed_at = clock_timestamp()"
                )

        await self._writer.run("memberships.join", write)

    async def leave(self, facts: CollectorFacts) -> None:
        """Write down that a collector takes part no more, and that all its devices are free; nothing if another instance does."""

        async def write(tx: Transaction) -> None:
            await tx.execute("SELECT 1 FROM coordination FOR UPDATE")
            await tx.execute(
                "UPDATE collector_membership SET state = 'left', changed_at = clock_timestamp()"
                " WHERE collector_id = %s AND instance_id = %s::uuid",
                [facts.collector_id, facts.instance_id],
            )
            if not tx.rowcount:
                return
            await tx.execute(
                "UPDATE coordination SET revision = revision + 1, changed_at = clock_timestamp()"
            )
            await tx.execute(
                "UPDATE device_assignment SET state = 'free', hold = 'lease', reason = 'left',"
                " revision = (SELECT revision FROM coordination) WHERE collector_id = %s",
                [facts.collector_id],
            )

        await self._writer.run("memberships.leave", write)

    async def all(self) -> Sequence[MemberRow]:
        """Return all that take part, or did."""

        async def read(tx: Transaction) -> Sequence[MemberRow]:
            await tx.execute(f"SELECT {MEMBER_COLUMNS} FROM collector_membership m ORDER BY collector_id")
            return [member_of(row) for row in tx.fetchall()]

        return await self._writer.run("memberships.all", read)


_JOIN = """
INSERT INTO collector_membership AS m
    (tenant_id, collector_id, name, instance_id, term, lease_epoch, version, edge, tenants, state)
VALUES (coalesce((SELECT tenant_id FROM collector WHERE collector_id::text = %(id)s), %(nil)s::uuid),
        %(id)s, %(name)s, %(instance)s::uuid, 1, %(epoch)s, %(version)s, %(edge)s, %(tenants)s::uuid[], 'online')
ON CONFLICT (collector_id) DO UPDATE SET
    tenant_id = excluded.tenant_id, name = excluded.name, instance_id = excluded.instance_id, term = m.term + 1,
    lease_epoch = excluded.lease_epoch, version = excluded.version, edge = excluded.edge,
    tenants = excluded.tenants, state = 'online',
    joined_at = CASE WHEN m.instance_id = excluded.instance_id THEN m.joined_at ELSE clock_timestamp() END,
    changed_at = CASE m.state WHEN 'online' THEN m.changed_at ELSE clock_timestamp() END
"""


def _parameters(facts: CollectorFacts, lease_epoch: int) -> dict[str, object]:
    return {
        "id": facts.collector_id,
        "nil": NO_TENANT_ID,
        "name": facts.name,
        "instance": facts.instance_id,
        "epoch": lease_epoch,
        "version": facts.version,
        "edge": facts.edge,
        "tenants": None if facts.tenants is None else sorted(facts.tenants),
    }


async def refuse_superseded(tx: Transaction, facts: CollectorFacts) -> None:
    """Raise Superseded unless this instance of a collector is the one that takes part."""
    await tx.execute(
        "SELECT instance_id::text FROM collector_membership WHERE collector_id = %s", [facts.collector_id]
    )
    row = tx.fetchone()
    if row is None or row[0] != facts.instance_id:
        raise Superseded(f"another process takes part as the collector {facts.name!r}")
