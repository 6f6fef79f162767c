"""The newest frame of each device and poll group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from zope.interface import implementer

from mtd.model.moments import is_from_future
from mtd.projections import metrics
from mtd.projections.ages import AGES
from mtd.projections.frames import FrameEncoder, TimeBounds
from mtd.projections.interfaces import IBatchWriter, IProjection
from mtd.storage.stores.frames import FrameName, copy_latest, upsert_latest
from mtd.storage.stores.layouts import LayoutKey, poll_groups
from mtd.storage.stores.positions import forget_rows
from mtd.storage.txn import Transaction

if TYPE_CHECKING:
    from mtd.pb.events.v1.envelope_pb2 import Envelope

_LAYOUTS_CACHED = 100_000

Aged: TypeAlias = "tuple[int, int, int, Envelope]"
"""A frame, behind what tells how new it is: epoch, time and position."""

Place: TypeAlias = tuple[str, str, str]
"""Of a row: tenant, device and poll group."""


class LayoutBook:
    """Poll groups of layouts. Layouts are named by their content, so what was learned stays true."""

    def __init__(self) -> None:
        self._groups: dict[LayoutKey, str] = {}

    def learn(self, key: LayoutKey, poll_group: str) -> None:
        """Note the poll group of a layout."""
        if len(self._groups) >= _LAYOUTS_CACHED:
            self._groups.clear()
        self._groups[key] = poll_group

    async def resolve(self, tx: Transaction, keys: set[LayoutKey]) -> dict[LayoutKey, str]:
        """Return the poll groups of layouts; those that nobody declared are missing."""
        found = {key: self._groups[key] for key in keys if key in self._groups}
        if len(found) < len(keys):
            asked = await poll_groups(tx, [key for key in keys if key not in found])
            for key, group in asked.items():
                self.learn(key, group)
            found.update(asked)
        return found


@implementer(IProjection)
class LatestProjection:
    """Writes ``latest``."""

    name = "latest"
    kinds = ("frame", "series_layout")
    tables = ("latest",)

    def __init__(self, bounds: TimeBounds) -> None:
        self._bounds = bounds
        self._book = LayoutBook()

    def begin(self, log_id: str, frames: FrameEncoder) -> LatestBatch:
        """Return an empty batch."""
        return LatestBatch(log_id, frames, self._bounds, self._book)

    async def forget(self, tx: Transaction, log_id: str, first_seq: int) -> None:
        """Delete the rows of these events."""
        await forget_rows(tx, self.tables, log_id, first_seq)


@implementer(IBatchWriter)
class LatestBatch:
    """Newest frames of one transaction."""

    def __init__(self, log_id: str, frames: FrameEncoder, bounds: TimeBounds, book: LayoutBook) -> None:
        self._log_id = log_id
        self._frames = frames
        self._bounds = bounds
        self._book = book
        # By how new they are: those of a newer collector come first, whatever the clock of an older one says.
        self._newest: dict[tuple[str, str, int], Aged] = {}
        self._unknown = 0

    def add(self, seq: int, envelope: Envelope) -> None:
        """Take in a frame, or learn a layout."""
        if envelope.HasField("series_layout"):
            declared = envelope.series_layout
            self._book.learn((envelope.tenant_id, declared.layout_id), declared.poll_group)
            return
        self._bounds.check(envelope)
        key = (envelope.tenant_id, envelope.device_id, envelope.frame.layout_id)
        known = self._newest.get(key)
        age = (envelope.lease_epoch, envelope.collected_at_us, seq)
        if known is None or known[:3] < age or self._is_from_future(known[1]):
            self._newest[key] = (*age, envelope)

    async def prepare(self) -> None:
        """Nothing to do."""

    @property
    def newest(self) -> Sequence[tuple[int, Envelope]]:
        """The newest frame of each device and layout, with its ``seq``."""
        return [(seq, envelope) for _, _, seq, envelope in self._newest.values()]

    async def choose(self, tx: Transaction) -> Mapping[Place, Aged]:
        """Return the newest frame of each device and poll group, without those of layouts that nobody declared."""
        groups = await self._book.resolve(tx, {(tenant, layout_id) for tenant, _, layout_id in self._newest})
        chosen: dict[Place, Aged] = {}
        for (tenant_id, device_id, layout_id), candidate in self._newest.items():
            group = groups.get((tenant_id, layout_id))
            if group is None:
                continue
            key = (tenant_id, device_id, group)
            if key not in chosen or self._is_newer(candidate, chosen[key]):
                chosen[key] = candidate
        self._unknown = sum((tenant, layout_id) not in groups for tenant, _, layout_id in self._newest)
        return chosen

    async def write(self, tx: Transaction) -> None:
        """Write one row for each device and poll group."""
        chosen = await self.choose(tx)
        # Its declaration was trimmed from the log; the next hour brings it again.
        metrics.EVENTS_DROPPED.labels(projection="latest", reason="layout_unknown").inc(self._unknown)
        names, rows, row_groups = [], [], []
        for (_, device_id, group), (epoch, collected_us, seq, envelope) in chosen.items():
            # Not stored is what is older than history goes, and of two that poll a device at a time, one's poll.
            if seq in self._frames.stored:
                names.append(FrameName(device_id, seq, collected_us, group, epoch))
            else:
                rows.append(self._frames.row(seq, envelope))
                row_groups.append(group)
        await copy_latest(tx, self._log_id, names)
        await upsert_latest(tx, self._log_id, rows, row_groups)
        AGES.written(((place, aged[1]) for place, aged in chosen.items()), self._bounds.now_us())

    def _is_newer(self, one: Aged, other: Aged) -> bool:
        if self._is_from_future(other[1]):
            return one[2] > other[2]
        return one[:3] > other[:3]

    def _is_from_future(self, collected_us: int) -> bool:
        return is_from_future(collected_us, self._bounds.now_us())
