"""Events of collectors' logs that several hubs have: each is projected from the log of one of them.

A collector sends what PostgreSQL doesn't have yet to whichever hub takes it. A hub that died with such events in
its log has them still when it is back, and another one has projected them by then. So each transaction asks, under
locks, what of its events another hub's log has brought, leaves that out, and notes the rest as its own. What is
noted decides for all projections of the hub and for rebuilds, in whatever order they come.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mtd.model.ranges import SeqRanges
from mtd.model.tenant import NO_TENANT_ID
from mtd.projections.sources import SourcesProjection
from mtd.storage.stores.hub_logs import HubLogStore, Shares
from mtd.storage.stores.ingest_logs import LogKey
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

_MOST_POSITION = 2**62
_ID_BYTES = 16

Numbered = Sequence[tuple[int, "Envelope"]]


class Claims:
    """Tells which events a hub's log may have projected."""

    def __init__(self, store: HubLogStore) -> None:
        self._store = store
        self._uncounted = SeqRanges()

    async def open(self, first_seq: int) -> None:
        """Read what was projected of the hub's log before anything was noted."""
        self._uncounted = await self._store.open(first_seq, SourcesProjection.name)

    def wanted(self, events: Numbered) -> dict[LogKey, SeqRanges]:
        """Return where events stood in collectors' logs, but for those that are this hub's whatever is noted."""
        found: dict[bytes, tuple[str, SeqRanges]] = {}
        for seq, envelope in events:
            if not _is_copied(envelope) or self._uncounted.overlaps(seq, seq):
                continue
            source, position = envelope.source_log_id, envelope.source_seq
            known = found.get(source)
            if known is None:
                # Whose the log is, is told when it is claimed.
                known = found[source] = (_tenant_of(envelope), SeqRanges())
            known[1].add(position, position)
        return {(tenant_id, str(uuid.UUID(bytes=log))): spans for log, (tenant_id, spans) in found.items()}

    async def take(self, tx: Transaction, events: Numbered, wanted: dict[LogKey, SeqRanges]) -> Numbered:
        """Return the events that are to be projected in this transaction, and note that they are.

        ``wanted``: what `wanted` says of these events. Who else has some of them waits until the transaction ends.
        """
        if not wanted:
            return events
        shares = await self._store.lock(tx, wanted)
        added = {key: _without(spans, shares[key[1]].projected) for key, spans in wanted.items()}
        kept = self._kept(events, shares)
        if any(map(len, added.values())) or len(kept) < len(events):
            await self._store.note(tx, added, events[-1][0])
        return kept

    async def kept(self, events: Numbered) -> Numbered:
        """Return those of some projected events that were projected from this hub's log."""
        wanted = self.wanted(events)
        return self._kept(events, await self._store.look(wanted)) if wanted else events

    def _kept(self, events: Numbered, shares: dict[str, Shares]) -> Numbered:
        foreign = {uuid.UUID(log_id).bytes: share.foreign for log_id, share in shares.items()}
        if not any(map(len, foreign.values())):
            return events
        nothing = SeqRanges()
        return [
            (seq, envelope)
            for seq, envelope in events
            if not (
                _is_copied(envelope)
                and foreign.get(envelope.source_log_id, nothing).overlaps(
                    envelope.source_seq, envelope.source_seq
                )
                and not self._uncounted.overlaps(seq, seq)
            )
        ]


def _is_copied(envelope: Envelope) -> bool:
    """Return whether an event has a place in a collector's log that can be noted; what can't be is this hub's own."""
    return 0 < envelope.source_seq <= _MOST_POSITION and len(envelope.source_log_id) == _ID_BYTES


def _tenant_of(envelope: Envelope) -> str:
    try:
        return str(uuid.UUID(envelope.tenant_id))
    except ValueError:
        return NO_TENANT_ID


def _without(spans: SeqRanges, others: SeqRanges) -> SeqRanges:
    found = SeqRanges(spans)
    for first, last in others:
        found.remove(first, last)
    return found
