"""Devices that could be added: as events tell of them, and what operators decided."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import NamedTuple

from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction

_NAMESPACE = uuid.UUID("5f0c2f0e-5f9d-4c55-8f1a-6d7464000005")
TEXTS = (
    "address",
    "mac_address",
    "identity",
    "platform",
    "version",
    "board",
    "software_id",
    "interface_name",
)
_LISTS = ("addresses", "mac_addresses", "ports", "found_by")
_TEXT_CHARACTERS = 255


class ProposalRow(NamedTuple):
    """What the events of a batch tell of one thing. ``texts`` are those of `TEXTS`; empty: not told."""

    tenant_id: str
    thing: str
    seq: int
    first_us: int
    last_us: int
    texts: tuple[str, ...]
    addresses: tuple[str, ...]
    mac_addresses: tuple[str, ...]
    ports: tuple[int, ...]
    found_by: tuple[str, ...]


def proposal_id(tenant_id: str, thing: str) -> str:
    """Return the id of a proposal: the same whenever it is made again of the log."""
    return str(uuid.uuid5(_NAMESPACE, f"{tenant_id} {thing}"))


async def upsert_proposals(tx: Transaction, log_id: str, rows: Sequence[ProposalRow]) -> None:
    """Lay what was told over what is known: the newest text that was told counts. One row for each thing."""
    if not rows:
        return
    columns: dict[str, str] = {
        "tenant_id": literals.plain(row.tenant_id for row in rows),
        "proposal_id": literals.plain(proposal_id(row.tenant_id, row.thing) for row in rows),
        "thing": literals.texts(row.thing[:_TEXT_CHARACTERS] for row in rows),
        "seq": literals.plain(row.seq for row in rows),
        "first_us": literals.plain(row.first_us for row in rows),
        "last_us": literals.plain(row.last_us for row in rows),
    }
    for place, name in enumerate(TEXTS):
        columns[name] = literals.texts(row.texts[place][:_TEXT_CHARACTERS] for row in rows)
    columns["addresses"] = literals.texts(literals.texts(row.addresses) for row in rows)
    columns["mac_addresses"] = literals.texts(literals.texts(row.mac_addresses) for row in rows)
    columns["ports"] = literals.texts(literals.plain(row.ports) for row in rows)
    columns["found_by"] = literals.texts(literals.texts(row.found_by) for row in rows)
    await tx.execute(_UPSERT, {"log_id": log_id, **columns})


def _upsert() -> str:
    texts, lists = ", ".join(TEXTS), ", ".join(_LISTS)
    newest = ", ".join(
        f"{name} = CASE WHEN excluded.last_seen_at >= p.last_seen_at"
        f" THEN coalesce(nullif(excluded.{name}, ''), p.{name})"
        f" ELSE coalesce(nullif(p.{name}, ''), excluded.{name}) END"
        for name in TEXTS
    )
    merged = ", ".join(f"{name} = merged(excluded.{name}, p.{name})" for name in _LISTS)
    arrays = ", ".join(f"%({name})s::text[]" for name in (*TEXTS, *_LISTS))
    return (
        f"INSERT INTO device_proposal AS p (log_id, tenant_id, proposal_id, thing, seq, first_seen_at, last_seen_at,"
        f" {texts}, {lists}) SELECT %(log_id)s, tenant_id, proposal_id, thing, seq, from_us(first_us), from_us(last_us),"
        f" {texts}, addresses::text[], mac_addresses::text[], ports::int4[], found_by::text[] FROM unnest("
        "%(tenant_id)s::uuid[], %(proposal_id)s::uuid[], %(thing)s::text[], %(seq)s::int8[], %(first_us)s::int8[],"
        f" %(last_us)s::int8[], {arrays})"
        f" AS t (tenant_id, proposal_id, thing, seq, first_us, last_us, {texts}, {lists})"
        " ON CONFLICT (tenant_id, proposal_id) DO UPDATE SET log_id = excluded.log_id, seq = excluded.seq,"
        " first_seen_at = least(p.first_seen_at, excluded.first_seen_at),"
        f" last_seen_at = greatest(p.last_seen_at, excluded.last_seen_at), {newest}, {merged}"
    )


_UPSERT = _upsert()


class DecisionStore:
    """What operators decided about proposals, and how many of those that nobody decided about are kept."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def ignore(self, tenant_id: str, proposal: str) -> None:
        """Hide a proposal."""
        await self._decide(tenant_id, proposal, "ignored", None)

    async def adopt(self, tenant_id: str, proposal: str, device_id: str) -> None:
        """Note as which device a proposal was added."""
        await self._decide(tenant_id, proposal, "adopted", device_id)

    async def restore(self, tenant_id: str, proposal: str) -> None:
        """Show a proposal that was hidden. One that was adopted stays so, as long as its device is there."""

        async def delete(tx: Transaction) -> None:
            await tx.execute(
                "DELETE FROM device_proposal_decision WHERE tenant_id = %s AND proposal_id = %s AND state = 'ignored'",
                (tenant_id, proposal),
            )

        await self._db.run("proposals.restore", delete, tenant=tenant_id)

    async def _decide(self, tenant_id: str, proposal: str, state: str, device_id: str | None) -> None:
        async def write(tx: Transaction) -> None:
            await tx.execute(
                "INSERT INTO device_proposal_decision (tenant_id, proposal_id, state, device_id)"
                " VALUES (%s, %s, %s, %s) ON CONFLICT (tenant_id, proposal_id) DO UPDATE SET"
                " state = excluded.state, device_id = excluded.device_id, decided_at = now()",
                (tenant_id, proposal, state, device_id),
            )

        await self._db.run("proposals.decide", write, tenant=tenant_id)

    async def prune(self, keep_s: float, most: int) -> int:
        """Forget proposals that nobody decided about: those not seen for so long, and the oldest over ``most``.

        Anybody in a network can announce devices without end. Returns how many went.
        """

        async def delete(tx: Transaction) -> int:
            await tx.execute(
                "DELETE FROM device_proposal p USING (SELECT tenant_id, proposal_id, last_seen_at,"
                " row_number() OVER (PARTITION BY tenant_id ORDER BY last_seen_at DESC) AS place"
                " FROM device_proposal q WHERE NOT EXISTS (SELECT FROM device_proposal_decision d"
                "  WHERE d.tenant_id = q.tenant_id AND d.proposal_id = q.proposal_id)) old"
                " WHERE p.tenant_id = old.tenant_id AND p.proposal_id = old.proposal_id"
                " AND (old.place > %s OR old.last_seen_at < now() - %s * interval '1 second')",
                (most, keep_s),
            )
            return tx.rowcount

        return await self._db.run("proposals.prune", delete)
