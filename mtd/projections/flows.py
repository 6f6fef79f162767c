"""Flow records of devices: each block of them once."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.core.errors import Refused
from mtd.model.flows import FORMS
from mtd.projections.errors import OutOfBounds
from mtd.projections.frames import FrameEncoder, TimeBounds
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.storage.partitioned import DAY_US, FLOW_BLOCK
from mtd.storage.partitions import Partitions
from mtd.storage.stores.flows import FlowRow, forget_blocks, insert_blocks
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

_MOST_RECORDS = 65_536
_MOST = 2**63 - 1
_MOST_KIND = 2**15 - 1
_MOST_MS = 253_402_300_799_999  # the end of the year 9999
_WITH_DOMAINS = frozenset({FORMS["netflow5"], FORMS["netflow9"], FORMS["ipfix"]})
_SUMS = ("octets", "packets", "estimated_octets", "estimated_packets")


@implementer(IProjection)
class FlowsProjection:
    """Writes ``flow_block``, and says in ``flow_due`` which minutes have to be summed up."""

    name = "flows"
    kinds = ("flow_batch",)
    tables = ("flow_block",)

    def __init__(self, partitions: Partitions, bounds: TimeBounds) -> None:
        self._partitions = partitions
        self._bounds = bounds

    def begin(self, log_id: str, frames: FrameEncoder) -> FlowsBatch:
        """Return an empty batch."""
        return FlowsBatch(log_id, self._partitions, self._bounds)

    async def forget(self, tx: Transaction, log_id: str, first_seq: int) -> None:
        """Delete the rows of these events; what their minutes add up to then is found out anew."""
        await forget_blocks(tx, log_id, first_seq)


@implementer(IBatchWriter)
class FlowsBatch:
    """Blocks of one transaction, in order."""

    def __init__(self, log_id: str, partitions: Partitions, bounds: TimeBounds) -> None:
        self._log_id = log_id
        self._partitions = partitions
        self._bounds = bounds
        self._rows: list[FlowRow] = []

    def add(self, seq: int, envelope: Envelope) -> None:
        """Take in a block. Raises Refused for one that can't be what an exporter told."""
        self._bounds.check(envelope)
        row = _row_of(seq, envelope)
        try:
            self._partitions.check(FLOW_BLOCK, row.us)
        except Refused:
            raise OutOfBounds("retention") from None
        self._rows.append(row)

    async def prepare(self) -> None:
        """Make the partitions of late blocks."""
        await self._partitions.ensure(FLOW_BLOCK, {row.us - row.us % DAY_US for row in self._rows})

    async def write(self, tx: Transaction) -> None:
        """Write the blocks."""
        with self._partitions.expected(FLOW_BLOCK):
            await insert_blocks(tx, self._log_id, self._rows)


def _row_of(seq: int, envelope: Envelope) -> FlowRow:
    batch = envelope.flow_batch
    if not 0 < batch.records <= _MOST_RECORDS:
        raise Refused(f"a block of {batch.records} flow records: 1 to {_MOST_RECORDS} are one")
    for name in _SUMS:
        if getattr(batch, name) > _MOST:
            raise Refused(f"{name} of flow records beyond 63 bits")
    if not (0 <= batch.first_ms <= _MOST_MS and 0 <= batch.last_ms <= _MOST_MS):
        raise Refused(f"flows that began at {batch.first_ms} ms and ended at {batch.last_ms} ms")
    if not (0 <= batch.form <= _MOST_KIND and 0 <= batch.sampling <= _MOST_KIND):
        raise Refused("flow records of a form or sampling that can't be")
    if not batch.block:
        raise Refused("flow records without their block")
    return FlowRow(
        envelope.tenant_id,
        _device_of(envelope),
        seq,
        envelope.collected_at_us,
        batch.first_ms * 1000,
        batch.last_ms * 1000,
        batch.exporter,
        batch.form,
        batch.sampling,
        batch.records,
        batch.octets,
        batch.packets,
        batch.estimated_octets,
        batch.estimated_packets,
        batch.domain if batch.form in _WITH_DOMAINS else None,
        batch.block,
    )


def _device_of(envelope: Envelope) -> str:
    try:
        return str(uuid.UUID(envelope.device_id))
    except ValueError:
        raise Refused("flow records of no device") from None
