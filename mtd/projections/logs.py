"""Lines of devices' logs: each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson
from zope.interface import implementer

from mtd.core.errors import Refused
from mtd.projections.errors import OutOfBounds
from mtd.projections.frames import FrameEncoder, TimeBounds
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.storage.partitioned import DAY_US, LOG_RECORD
from mtd.storage.partitions import Partitions
from mtd.storage.stores.logs import LogLines, insert_lines
from mtd.storage.stores.positions import forget_rows
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope
    from mtd.pb.events.v1.logs_pb2 import LogLine


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
        self._lines = LogLines()
        self._days_us: set[int] = set()

    def add(self, seq: int, envelope: Envelope) -> None:
        """Take in lines."""
        self._bounds.check(envelope)
        lines = list(envelope.log_batch.lines)
        if not lines:
            return
        times_us = [line.received_at_us for line in lines]
        first_us, last_us = min(times_us), max(times_us)
        try:
            for at_us in (first_us, last_us):
                self._partitions.check(LOG_RECORD, at_us)
        except Refused:
            raise OutOfBounds("retention") from None
        if envelope.source_seq:
            _check_values(lines)
        owner = (envelope.tenant_id, envelope.device_id or None, envelope.log_batch.sender)
        self._lines.add(seq, owner, lines, times_us)
        # Mostly of one day, which needn't be worked out for each.
        same_day = first_us // DAY_US == last_us // DAY_US
        self._days_us.update(at_us - at_us % DAY_US for at_us in ((first_us,) if same_day else times_us))

    async def prepare(self) -> None:
        """Make the partitions of late lines."""
        await self._partitions.ensure(LOG_RECORD, self._days_us)

    async def write(self, tx: Transaction) -> None:
        """Write the lines."""
        with self._partitions.expected(LOG_RECORD):
            await insert_lines(tx, self._log_id, self._lines)


def _check_values(lines: Sequence[LogLine]) -> None:
    """Raise ValueError for lines of a collector with values that nobody could read again."""
    for line in lines:
        if not line.values_json:
            continue
        values = orjson.loads(line.values_json)
        if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
            raise ValueError("the values of a line are no JSON object of texts")
        if "\0" in "".join([*values, *values.values()]):
            raise ValueError("the values of a line hold U+0000")
