"""Layouts and frames, as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zope.interface import implementer

from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Refused
from mtd.model.events import layout_of
from mtd.model.layout import Layout
from mtd.projections import metrics
from mtd.projections.errors import OutOfBounds
from mtd.projections.frames import FrameEncoder, TimeBounds
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.storage.partitioned import HOUR_US
from mtd.storage.partitions import TELEMETRY_FRAME, Partitions
from mtd.storage.stores.frames import FrameRow, insert_frames
from mtd.storage.stores.layouts import LayoutKey, put_layouts
from mtd.storage.stores.positions import forget_rows
from mtd.storage.stores.redundant import OfferedPoll, claim_polls
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope, Redundant

_DAY_US = 86_400_000_000


@implementer(IProjection)
class TelemetryProjection:
    """Writes ``telemetry_frame``, ``series_layout`` and ``series_layout_entry``.

    Of a device that two collectors poll at a time, one poll of each interval; ``redundant_days`` after an interval
    nobody knows any more whether there is one, and what comes so late is left out.
    """

    name = "telemetry"
    kinds = ("frame", "series_layout")
    # Layouts stay: they are named by their content, and frames of other logs use them.
    tables = ("telemetry_frame", "redundant_poll")

    def __init__(self, partitions: Partitions, bounds: TimeBounds, redundant_days: float) -> None:
        self._partitions = partitions
        self._bounds = bounds
        self._redundant_us = int(redundant_days * _DAY_US)

    def begin(self, log_id: str, frames: FrameEncoder) -> TelemetryBatch:
        """Return an empty batch."""
        oldest_us = SYSTEM_CLOCK.now_us() - self._redundant_us
        return TelemetryBatch(log_id, frames, self._partitions, self._bounds, oldest_us)

    async def forget(self, tx: Transaction, log_id: str, first_seq: int) -> None:
        """Delete the rows of these events."""
        await forget_rows(tx, self.tables, log_id, first_seq)


@implementer(IBatchWriter)
class TelemetryBatch:
    """Frames and layouts of one transaction."""

    def __init__(
        self,
        log_id: str,
        frames: FrameEncoder,
        partitions: Partitions,
        bounds: TimeBounds,
        oldest_redundant_us: int,
    ) -> None:
        self._log_id = log_id
        self._oldest_redundant_us = oldest_redundant_us
        self._redundant: list[OfferedPoll] = []
        self._frames = frames
        self._partitions = partitions
        self._bounds = bounds
        self._rows: list[FrameRow] = []
        self._hours_us: set[int] = set()
        self._last_hour_us = -1
        self._layouts: dict[LayoutKey, tuple[str, Layout, int]] = {}

    def add(self, seq: int, envelope: Envelope) -> None:
        """Take in a frame or a layout."""
        if envelope.HasField("frame"):
            self._bounds.check(envelope)
            row = self._frames.row(seq, envelope)
            if envelope.HasField("redundant"):
                self._offer(row, envelope.redundant)
            self._note_hour(row.collected_us)
            self._rows.append(row)
            return
        tenant_id, declared = envelope.tenant_id, envelope.series_layout
        # Each device declares its own, and many have the same.
        if (tenant_id, declared.layout_id) not in self._layouts:
            layout = layout_of(declared)
            self._layouts[tenant_id, layout.layout_id] = (tenant_id, layout, envelope.collected_at_us)

    def _offer(self, row: FrameRow, redundant: Redundant) -> None:
        if row.collected_us < self._oldest_redundant_us:
            raise OutOfBounds("redundant_late")
        start_us = row.collected_us - row.collected_us % max(1, redundant.interval_us)
        self._redundant.append(
            OfferedPoll(row.tenant_id, row.device_id, redundant.poll_group, start_us, row.seq)
        )

    def _note_hour(self, collected_us: int) -> None:
        hour_us = collected_us - collected_us % HOUR_US
        if hour_us == self._last_hour_us:
            return
        try:
            self._partitions.check(TELEMETRY_FRAME, collected_us)
        except Refused:
            raise OutOfBounds("retention") from None
        self._hours_us.add(hour_us)
        self._last_hour_us = hour_us

    async def prepare(self) -> None:
        """Make the partitions of late frames; those of this hour exist."""
        await self._partitions.ensure(TELEMETRY_FRAME, self._hours_us)

    async def write(self, tx: Transaction) -> None:
        """Write layouts, then frames."""
        await put_layouts(tx, list(self._layouts.values()))
        rows = self._rows
        if self._redundant:
            kept = await claim_polls(tx, self._log_id, self._redundant)
            left_out = {one.seq for one in self._redundant} - kept
            metrics.EVENTS_DROPPED.labels(projection="telemetry", reason="redundant").inc(len(left_out))
            rows = [row for row in rows if row.seq not in left_out]
        with self._partitions.expected(TELEMETRY_FRAME):
            await insert_frames(tx, self._log_id, rows)
        self._frames.stored = frozenset(row.seq for row in rows)
