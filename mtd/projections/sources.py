"""How far it is decided which events of collectors' logs are projected from this hub's log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.projections.frames import FrameEncoder
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


@implementer(IProjection)
class SourcesProjection:
    """A position and no rows: the ranges of ``ingest_log`` are written for all projections at once (see claims).

    Releases before that did write them here, up to this position.
    """

    name = "sources"
    kinds = ()
    tables = ()

    def begin(self, log_id: str, frames: FrameEncoder) -> SourcesBatch:
        """Return an empty batch."""
        return SourcesBatch()

    async def forget(self, tx: Transaction, log_id: str, first_seq: int) -> None:
        """Keep what is known: the hub's log still holds what is projected again, whatever collectors forget."""


@implementer(IBatchWriter)
class SourcesBatch:
    """Nothing."""

    def add(self, seq: int, envelope: Envelope) -> None:
        """Leave it: it takes no kind of events."""

    async def prepare(self) -> None:
        """Nothing to do."""

    async def write(self, tx: Transaction) -> None:
        """Nothing to do."""
