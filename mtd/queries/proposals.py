"""Devices that could be added, and how devices are linked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mtd.core.errors import NotFound, Refused
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.sighting import FoundBy
from mtd.storage.pool import Database
from mtd.storage.stores.proposals import TEXTS
from mtd.storage.txn import Row, Transaction

NEW, IGNORED, ADOPTED = "new", "ignored", "adopted"
STATES = (NEW, IGNORED, ADOPTED)
_LEAST_ID = 4

# What was seen at an address only is the same thing as what told its MAC address with that address.
_FOUND = """
WITH mine AS MATERIALIZED (
    SELECT p.*, coalesce(d.state, 'new') AS state, d.device_id AS adopted_as, p.thing LIKE 'address %%' AS bare
    FROM device_proposal p LEFT JOIN device_proposal_decision d USING (tenant_id, proposal_id)
    WHERE p.tenant_id = %(tenant)s
), told AS (
    SELECT m.proposal_id, b.proposal_id AS bare_id, b.ports, b.found_by, b.last_seen_at FROM mine m
    CROSS JOIN LATERAL unnest(m.addresses) AS a (address)
    JOIN mine b ON b.bare AND b.address = a.address
    WHERE NOT m.bare
), by_address AS (
    SELECT DISTINCT ON (m.proposal_id) m.proposal_id, k.device_id FROM mine m
    CROSS JOIN LATERAL unnest(m.addresses) AS a (address)
    JOIN device_address k ON k.tenant_id = m.tenant_id AND k.address = a.address
    ORDER BY m.proposal_id, k.device_id
), by_mac AS (
    SELECT DISTINCT ON (m.proposal_id) m.proposal_id, k.device_id FROM mine m
    CROSS JOIN LATERAL unnest(m.mac_addresses) AS a (mac_address)
    JOIN interface_mac k ON k.tenant_id = m.tenant_id AND k.mac_address = a.mac_address
    ORDER BY m.proposal_id, k.device_id
), all_told AS (
    SELECT proposal_id, array_agg(DISTINCT port) FILTER (WHERE port IS NOT NULL) AS ports,
           array_agg(DISTINCT way) AS found_by, max(last_seen_at) AS seen
    FROM told LEFT JOIN LATERAL unnest(ports) AS port ON true CROSS JOIN unnest(found_by) AS way GROUP BY proposal_id
)
"""
_SELECT = f"""
SELECT m.proposal_id, m.state, {", ".join(f"m.{name}" for name in TEXTS)},
       m.mac_addresses, merged(m.ports, coalesce(t.ports, '{{}}')), merged(m.found_by, coalesce(t.found_by, '{{}}')),
       to_us(m.first_seen_at), to_us(greatest(m.last_seen_at, t.seen)), k.device_id, k.name, w.known_by
FROM mine m
LEFT JOIN by_address a USING (proposal_id)
LEFT JOIN by_mac c USING (proposal_id)
LEFT JOIN all_told t USING (proposal_id)
CROSS JOIN LATERAL (SELECT CASE WHEN m.adopted_as IS NOT NULL THEN 'adopted' WHEN c.device_id IS NOT NULL THEN 'mac'
                                WHEN a.device_id IS NOT NULL THEN 'address' END AS known_by) w
LEFT JOIN device k ON k.tenant_id = m.tenant_id AND k.device_id = coalesce(m.adopted_as, c.device_id, a.device_id)
WHERE m.proposal_id NOT IN (SELECT bare_id FROM told)
"""  # noqa: S608 - composed of constants

_NEIGHBORS = """
SELECT neighbor_key, device_id, device, coalesce(interface, ''), coalesce(interface_id, ''), address, mac_address,
       identity, platform, version, board, system_description, discovered_by, interface_name,
       coalesce(neighbor_device_id::text, ''), coalesce(neighbor_device, ''), coalesce(neighbor_interface_id, ''),
       to_us(first_seen)
FROM neighbor WHERE tenant_id = %(tenant)s AND (%(device)s::uuid IS NULL OR device_id = %(device)s)
ORDER BY device, interface, identity, neighbor_key OFFSET %(offset)s LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class SeenAt:
    """An interface of a device at which something is seen."""

    device_id: str
    device_name: str
    interface: str


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A device that could be added; see ``Proposal`` of the protocol. ``known_device_id`` None: it isn't known."""

    proposal_id: str
    state: str
    address: str
    mac_address: str
    identity: str
    platform: str
    version: str
    board: str
    software_id: str
    interface_name: str
    ports: Sequence[int]
    found_by: Sequence[FoundBy]
    first_seen_us: int
    last_seen_us: int
    known_device_id: str | None = None
    known_device_name: str = ""
    known_by: str = ""
    seen_at: Sequence[SeenAt] = ()


@dataclass(frozen=True, slots=True)
class NeighborView:
    """One end of a link, and what is at the other; see ``Neighbor`` of the protocol."""

    key: str
    seen_at: SeenAt
    interface_id: str
    address: str
    mac_address: str
    identity: str
    platform: str
    version: str
    board: str
    system_description: str
    discovered_by: str
    interface_name: str
    neighbor_device_id: str
    neighbor_device_name: str
    neighbor_interface_id: str
    first_seen_us: int


class ProposalQueries:
    """Reads proposals with what the inventory knows of them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list(
        self,
        tenant_id: str = DEFAULT_TENANT_ID,
        *,
        states: Collection[str] = (NEW,),
        include_known: bool = False,
        offset: int = 0,
        limit: int = 100,
    ) -> Sequence[ProposalView]:
        """Return proposals, those seen last first. A new one that the inventory has is none, unless asked for."""
        known = "" if include_known else "AND (m.state <> 'new' OR w.known_by IS NULL)"
        sql = (
            f"{_FOUND} {_SELECT} AND m.state = ANY (%(states)s::text[]) {known}"
            " ORDER BY m.last_seen_at DESC, m.proposal_id OFFSET %(offset)s LIMIT %(limit)s"
        )
        params = {"tenant": tenant_id, "states": list(states), "offset": offset, "limit": limit}

        async def read(tx: Transaction) -> Sequence[ProposalView]:
            await tx.execute(sql, params)
            return await _views(tx, tenant_id, tx.fetchall())

        return await self._db.run("queries.proposals", read, tenant=tenant_id)

    async def get(self, proposal: str, tenant_id: str = DEFAULT_TENANT_ID) -> ProposalView:
        """Return a proposal by its id, or the beginning of it. Raises NotFound, and Refused if several begin so."""
        if len(proposal) < _LEAST_ID or not set(proposal.lower()) <= set("0123456789abcdef-"):
            raise Refused(
                f"{proposal[:80]!r} is no id of a proposal: give at least {_LEAST_ID} of its characters"
            )
        sql = f"{_FOUND} {_SELECT} AND m.proposal_id::text LIKE %(start)s LIMIT 2"

        async def read(tx: Transaction) -> Sequence[ProposalView]:
            await tx.execute(sql, {"tenant": tenant_id, "start": f"{proposal.lower()}%"})
            return await _views(tx, tenant_id, tx.fetchall())

        found = await self._db.run("queries.proposal", read, tenant=tenant_id)
        if not found:
            raise NotFound(f"there is no proposal {proposal!r}")
        if len(found) > 1:
            raise Refused(f"several proposals begin with {proposal!r}: give more of it")
        return found[0]


class NeighborQueries:
    """Reads who is next to whom."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list(
        self,
        tenant_id: str = DEFAULT_TENANT_ID,
        *,
        device_id: str | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> Sequence[NeighborView]:
        """Return neighbours by device and interface."""
        params = {"tenant": tenant_id, "device": device_id, "offset": offset, "limit": limit}

        async def read(tx: Transaction) -> Sequence[Row]:
            await tx.execute(_NEIGHBORS, params)
            return tx.fetchall()

        rows = await self._db.run("queries.neighbors", read, tenant=tenant_id)
        return [NeighborView(key, SeenAt(*seen_at), *rest) for key, *seen_at, rest in map(_split, rows)]


def _split(row: Row) -> tuple[str, str, str, str, Row]:
    key, device_id, device, interface, *rest = row
    return key, device_id, device, interface, tuple(rest)


async def _views(tx: Transaction, tenant_id: str, rows: Sequence[Row]) -> Sequence[ProposalView]:
    """Return the views of rows, with the interfaces at which each is seen now."""
    macs = sorted({mac for row in rows for mac in row[2 + len(TEXTS)]})
    seen: dict[str, list[SeenAt]] = {}
    if macs:
        await tx.execute(
            "SELECT DISTINCT mac_address, device_id, device, coalesce(interface, '') FROM neighbor"
            " WHERE tenant_id = %s AND mac_address = ANY (%s::text[]) ORDER BY 3, 4",
            (tenant_id, macs),
        )
        for mac, *where in tx.fetchall():
            seen.setdefault(mac, []).append(SeenAt(*where))
    return [_view(row, seen) for row in rows]


def _view(row: Row, seen: dict[str, list[SeenAt]]) -> ProposalView:
    proposal, state, *texts = row[: 2 + len(TEXTS)]
    macs, ports, found_by, first_us, last_us, device_id, device, known_by = row[2 + len(TEXTS) :]
    named = dict(zip(TEXTS, texts, strict=True))
    return ProposalView(
        proposal_id=proposal,
        state=state,
        **named,
        ports=tuple(ports),
        found_by=tuple(FoundBy(word) for word in found_by if word in set(FoundBy)),
        first_seen_us=first_us,
        last_seen_us=last_us,
        known_device_id=device_id,
        known_device_name=device or "",
        known_by=known_by or "",
        seen_at=tuple(dict.fromkeys(where for mac in macs for where in seen.get(mac, ()))),
    )
