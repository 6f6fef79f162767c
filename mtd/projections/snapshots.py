"""Documents: each version once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.projections.frames import FrameEncoder, TimeBounds
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.storage.stores.positions import forget_rows
from mtd.storage.stores.state import SnapshotRow, insert_snapshots
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


@implementer(IProjection)
class SnapshotsProjection:
    """Writes ``snapshot``."""

    name = "snapshots"
    kinds = ("snapshot",)
    tables = ("snapshot",)

    def __init__(self, bounds: TimeBounds) -> None:
        self._bounds = bounds

    def begin(self, log_id: str, frames: FrameEncoder) -> SnapshotsBatch:
        """Return an empty batch."""
        return SnapshotsBatch(log_id, self._bounds)

    async def forget(self, tx: Transaction, log_id: str, first_seq: int) -> None:
        """Delete the rows of these events."""
        await forget_rows(tx, self.tables, log_id, first_seq)


@implementer(IBatchWriter)
class SnapshotsBatch:
    """Documents of one transaction."""

    def __init__(self, log_id: str, bounds: TimeBounds) -> None:
        self._log_id = log_id
        self._bounds = bounds
        self._rows: list[SnapshotRow] = []

    def add(self, seq: int, envelope: Envelope) -> None:
        """Take in a document. Raises ValueError if PostgreSQL couldn't hold it as it is."""
        self._bounds.check(envelope)
        document = envelope.snapshot
        if b"\0" in document.content:
            raise ValueError("the document holds U+0000, which is no JSON")
        self._rows.append(
            SnapshotRow(
                envelope.tenant_id,
                envelope.device_id,
                document.kind,
                seq,
                envelope.collected_at_us,
                document.sha256,
                document.content.decode("utf-8"),
            )
        )

    async def prepare(self) -> None:
        """Nothing to do."""

    async def write(self, tx: Transaction) -> None:
        """Write the documents that changed."""
        await insert_snapshots(tx, self._log_id, self._rows)
