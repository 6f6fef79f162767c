"""Devices that could be added: from what was seen, and from the neighbours of polled routers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.model.events import payload_kind, sighting_of
from mtd.model.sighting import NEIGHBOR_TABLE, Sighting, neighbor_sighting
from mtd.projections.frames import FrameEncoder, TimeBounds
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.storage.stores.positions import forget_rows
from mtd.storage.stores.proposals import TEXTS, ProposalRow, upsert_proposals
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


@implementer(IProjection)
class DiscoveryProjection:
    """Writes ``device_proposal``. What operators decide about them is no part of it."""

    name = "discovery"
    kinds = ("device_seen", "table_delta")
    tables = ("device_proposal",)

    def __init__(self, bounds: TimeBounds) -> None:
        self._bounds = bounds

    def begin(self, log_id: str, frames: FrameEncoder) -> DiscoveryBatch:
        """Return an empty batch."""
        return DiscoveryBatch(log_id, self._bounds)

    async def forget(self, tx: Transaction, log_id: str, first_seq: int) -> None:
        """Delete the rows of these events."""
        await forget_rows(tx, self.tables, log_id, first_seq)


@implementer(IBatchWriter)
class DiscoveryBatch:
    """Sightings of one transaction, folded into one row for each thing."""

    def __init__(self, log_id: str, bounds: TimeBounds) -> None:
        self._log_id = log_id
        self._bounds = bounds
        self._rows: dict[tuple[str, str], ProposalRow] = {}

    def add(self, seq: int, envelope: Envelope) -> None:
        """Take in a sighting, or the rows of a table of neighbours."""
        if payload_kind(envelope) == "table_delta" and envelope.table_delta.table != NEIGHBOR_TABLE:
            return
        self._bounds.check(envelope)
        for sighting in _sightings(envelope):
            row = _row(seq, envelope, sighting)
            known = self._rows.get((row.tenant_id, row.thing))
            self._rows[row.tenant_id, row.thing] = row if known is None else _folded(known, row)

    async def prepare(self) -> None:
        """Nothing to do."""

    async def write(self, tx: Transaction) -> None:
        """Write what was seen."""
        await upsert_proposals(tx, self._log_id, list(self._rows.values()))


def _sightings(envelope: Envelope) -> Iterator[Sighting]:
    if payload_kind(envelope) == "device_seen":
        sighting = sighting_of(envelope.device_seen)
        if sighting.thing:
            yield sighting
        return
    for row in envelope.table_delta.upserted:
        found = neighbor_sighting(row.fields)
        if found is not None:
            yield found


def _row(seq: int, envelope: Envelope, sighting: Sighting) -> ProposalRow:
    at_us = envelope.collected_at_us
    return ProposalRow(
        envelope.tenant_id,
        sighting.thing,
        seq,
        at_us,
        at_us,
        tuple(getattr(sighting, name) for name in TEXTS),
        (sighting.address,) if sighting.address else (),
        (sighting.mac_address,) if sighting.mac_address else (),
        sighting.ports,
        (sighting.found_by.value,),
    )


def _folded(one: ProposalRow, other: ProposalRow) -> ProposalRow:
    """Return two rows of one thing as one: the newer text that was told counts."""
    older, newer = sorted((one, other), key=lambda row: row.last_us)
    return ProposalRow(
        one.tenant_id,
        one.thing,
        max(one.seq, other.seq),
        min(one.first_us, other.first_us),
        newer.last_us,
        tuple(new or old for new, old in zip(newer.texts, older.texts, strict=True)),
        tuple(dict.fromkeys((*newer.addresses, *older.addresses))),
        tuple(dict.fromkeys((*newer.mac_addresses, *older.mac_addresses))),
        tuple(dict.fromkeys((*newer.ports, *older.ports))),
        tuple(dict.fromkeys((*newer.found_by, *older.found_by))),
    )
