"""Lines of devices' logs: each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.core.errors import Refused
from mtd.model.logs import log_entries_of
from mtd.projections.errors import OutOfBounds
from mtd.projections.frames import FrameEncoder, TimeBounds
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.storage.partitioned import DAY_US, LOG_RECORD
from mtd.storage.partitions import Partitions
from mtd.storage.stores.logs import LogRow, insert_lines
from mtd.storage.stores.positions import forget_rows
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope


@implementer(IProjection)
class LogsProjection:
    """Writes ``log_record``."""

    name = "logs"
    kinds = ("log_batch",)
    tables = ("log_record",)

    def __init__(self, partitions: Partitions, bounds: TimeBounds) -> None:
        self._partitions = partitions
        self._bounds = bounds

    def begin(self, log_id: str, frames: FrameEncoder) -> LogsBatch:
        """Return an empty batch."""
        return LogsBatch(log_id, self._partitions, self._bounds)

    async def forget(self, tx: Transaction, log_id: str, first_seq: int) -> None:
        """Delete the rows of these events."""
        await forget_rows(tx, self.tables, log_id, first_seq)


@implementer(IBatchWriter)
class LogsBatch:
    """Lines of one transaction, in order."""

    def __init__(self, log_id: str, partitions: Partitions, bounds: TimeBounds) -> None:
        self._log_id = log_id
        self._partitions = partitions
        self._bounds = bounds
        self._rows: list[LogRow] = []

    def add(self, seq: int, envelope: Envelope) -> None:
        """Take in lines."""
        self._bounds.check(envelope)
        entries = log_entries_of(envelope.log_batch)
        try:
            for entry in entries:
                self._partitions.check(LOG_RECORD, entry.received_us)
        except Refused:
            raise OutOfBounds("retention") from None
        device_id, sender = envelope.device_id or None, envelope.log_batch.sender
        self._rows += [
            LogRow(envelope.tenant_id, device_id, seq, part, sender, entry)
            for part, entry in enumerate(entries)
        ]

    async def prepare(self) -> None:
        """Make the partitions of late lines."""
        days_us = {row.entry.received_us - row.entry.received_us % DAY_US for row in self._rows}
        await self._partitions.ensure(LOG_RECORD, days_us)

    async def write(self, tx: Transaction) -> None:
        """Write the lines."""
        with self._partitions.expected(LOG_RECORD):
            await insert_lines(tx, self._log_id, self._rows)
