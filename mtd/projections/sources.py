"""Which events of collectors' logs are in the database: what their collectors may forget."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.eventlog.registry import PAYLOAD_TYPES
from mtd.model.ranges import SeqRanges
from mtd.projections.frames import FrameEncoder
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.storage.stores.ingest_logs import add_projected
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


@implementer(IProjection)
class SourcesProjection:
    """Writes the ranges of ``ingest_log``."""

    name = "sources"
    # Whatever an event holds, and if it holds nothing (any more).
    kinds = (*(kind.field for kind in PAYLOAD_TYPES), "")
    tables = ()

    def begin(self, log_id: str, frames: FrameEncoder) -> SourcesBatch:
        """Return an empty batch."""
        return SourcesBatch()

    async def forget(self, tx: Transaction, log_id: str, first_seq: int) -> None:
        """Keep what is known: the hub's log still holds what is projected again, whatever collectors forget."""


@implementer(IBatchWriter)
class SourcesBatch:
    """Positions of one transaction."""

    def __init__(self) -> None:
        self._logs: dict[bytes, tuple[str, SeqRanges]] = {}

    def add(self, seq: int, envelope: Envelope) -> None:
        """Note where an event stood before."""
        position = envelope.source_seq
        if not position:
            return
        source = envelope.source_log_id
        known = self._logs.get(source)
        if known is None:
            # Whose the log is, is told when it is claimed.
            known = self._logs[source] = (envelope.tenant_id, SeqRanges())
        known[1].add(position, position)

    async def prepare(self) -> None:
        """Nothing to do."""

    async def write(self, tx: Transaction) -> None:
        """Add the ranges."""
        await add_projected(
            tx,
            {
                (tenant_id, str(uuid.UUID(bytes=log))): ranges
                for log, (tenant_id, ranges) in self._logs.items()
            },
        )
