"""The newest values of every device in memory, and the streams that follow them.

The projections hand over what they committed (``publish``); each stream takes
what is new to it at its own speed. A stream holds no values: only which poll
groups of which devices it hasn't sent yet. So its memory is bounded by their
number, and a reader that sleeps for an hour costs what one that is a moment
late does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from mtd.api import metrics
from mtd.api.config import GrpcConfig
from mtd.api.errors import StreamsClosed, TooManyStreams
from mtd.api.grpc.directory import Directory, KnownDevice
from mtd.api.grpc.globs import Globs
from mtd.api.grpc.group_index import GroupIndex
from mtd.api.grpc.latest_stream import Group, LatestStream
from mtd.api.grpc.layouts import KnownLayout, LayoutBook
from mtd.api.grpc.resume_tokens import ResumePoints, selection_of
from mtd.api.interfaces import TelemetryBackend
from mtd.core.clock import SYSTEM_CLOCK
from mtd.core.errors import Retryable
from mtd.core.service import TaskGroup
from mtd.model.catalogue import Catalogue
from mtd.model.device import Device
from mtd.model.events import key_range_of, layout_of, payload_kind, presence_bitmap
from mtd.model.labels import LabelSource
from mtd.model.layout import Layout
from mtd.model.metric import Metric
from mtd.model.moments import is_from_future
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.events.v1.state_pb2 import TableDelta
from mtd.pb.telemetry.v1.telemetry_service_pb2 import LatestUpdate
from mtd.projections.order import Stand, stand_of
from mtd.queries.records import InstanceName, LatestFrame

logger = logging.getLogger(__name__)

# Seeding 10,000 devices in one go would hold the loop for a second.
SEED_STEP = 50
NAMES_STEP = 1000

_QUIET_KINDS = frozenset({"frame", "series_layout", "table_delta", "snapshot", "flow_batch"})


def may_be_event(kind: str, envelope: Envelope) -> bool:
    """Return whether a payload of this kind may have become an event for operators."""
    if kind == "log_batch":
        return any(line.event_type for line in envelope.log_batch.lines)
    return kind not in _QUIET_KINDS


class HubListener(Protocol):
    """Hears of what the hub shows, in the loop's thread, between two turns. Must be quick, and never raise."""

    def group_changed(self, group: Group) -> None:
        """A poll group has newer values."""

    def device_gone(self, device: KnownDevice) -> None:
        """The inventory hasn't a device any more."""


class StreamHub:
    """Keeps the newest frames and fans them out. To be used from the loop's thread only.

    ``on_events`` is told the tenants for whom operators' events were committed.
    """

    def __init__(
        self,
        telemetry: TelemetryBackend,
        catalogue: Catalogue,
        config: GrpcConfig | None = None,
        on_events: Callable[[set[str]], None] | None = None,
    ) -> None:
        self._telemetry = telemetry
        self._catalogue = catalogue
        self._config = config or GrpcConfig()
        self._on_events = on_events
        self._directory = Directory()
        self._labels = {source.table: source for source in catalogue.series_labels}
        self._layouts = LayoutBook(self._config.max_unused_layouts, catalogue.metrics)
        self._groups = GroupIndex()
        self._listeners: list[HubListener] = []
        self._streams: set[LatestStream] = set()
        self._points = ResumePoints()
        self._tasks = TaskGroup("api.hub")
        # Frames of layouts that have to be read first: the newest per device.
        self._parked: dict[tuple[str, int], dict[str, LatestUpdate]] = {}
        # The newest change of each table of a device that names things.
        self._told: dict[tuple[str, str], dict[str, Stand]] = {}
        self._loading = False
        self._closed = False

    async def start(self) -> None:
        """Read the newest stored values and names. What was published meanwhile is newer and stays."""
        await self.take_names(await self._telemetry.names_all())
        await self.take_stored(await self._telemetry.latest_all())

    async def take_stored(self, frames: Sequence[LatestFrame]) -> None:
        """Take values that were read: as they were at the start, or as another hub has projected them."""
        for number, stored in enumerate(frames):
            layout = self._layouts.declare(stored.tenant_id, stored.layout)
            self._show(layout, stored.tenant_id, stored.device_id, _update_of_stored(stored))
            if number % SEED_STEP == SEED_STEP - 1:
                await asyncio.sleep(0)

    async def take_names(self, names: Sequence[InstanceName], *, complete: bool = False) -> None:
        """Take what things are called. A table at a time: each that is named anew costs as much as all its rows.

        ``complete``: of these tables that is all, and newer than what is known.
        """
        tables: dict[tuple[str, str, LabelSource], list[InstanceName]] = {}
        for number, row in enumerate(names):
            source = self._labels.get(row.table)
            if source is not None:
                tables.setdefault((row.tenant_id, row.device_id, source), []).append(row)
            if number % NAMES_STEP == NAMES_STEP - 1:
                await asyncio.sleep(0)
        for (tenant_id, device_id, source), rows in tables.items():
            known = self._directory.get(tenant_id, device_id)
            if known is not None:
                newer = () if complete else known.things_of(source)
                missing = [row for row in rows if row.key not in newer]
                names_of = {row.key: (row.name, row.comment) for row in missing}
                known.name_things(source, names_of, complete=complete)
                known.type_things(source, {row.key: row.type for row in missing}, complete=complete)
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """End all streams: their readers are told to call again."""
        self._closed = True
        for stream in self._streams:
            stream.close()
        await self._tasks.stop()

    def apply_devices(self, devices: Iterable[Device]) -> None:
        """Take names and namings from the inventory, and forget devices that it hasn't any more.

        To be called before a new device is polled: frames of devices that the
        inventory doesn't list aren't shown.
        """
        renamed, gone = self._directory.apply(devices)
        for device in gone:
            self._drop(device)
        for device in renamed:
            self._points.void(device.tenant_id)
            for group in self.groups_of(device.tenant_id, device.device_id).values():
                for stream in self._streams:
                    stream.offer(group)
        metrics.HUB_GROUPS.set(len(self._groups))

    def publish(self, events: Sequence[tuple[int, Envelope]]) -> None:
        """Take events that a projection committed, in their order. Never raises for what they hold."""
        frames = 0
        told: set[str] = set()
        for seq, envelope in events:
            kind = payload_kind(envelope)
            if kind == "frame":
                frames += 1
                self._take_frame(envelope)
            elif kind == "series_layout":
                declared = envelope.series_layout
                if self._layouts.get(envelope.tenant_id, declared.layout_id) is None:
                    self._layouts.declare(envelope.tenant_id, layout_of(declared))
            elif kind == "table_delta":
                self._take_table(seq, envelope)
            if may_be_event(kind, envelope):
                told.add(envelope.tenant_id)
        metrics.HUB_FRAMES.inc(frames)
        if told and self._on_events is not None:
            self._on_events(told)

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self._streams)

    def tenants(self) -> Iterable[str]:
        """Return the tenants that have devices."""
        return self._directory.tenants()

    # -- for other doors: what is here, without copies --------------------------

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """The catalogue's metrics by key."""
        return self._catalogue.metrics

    def devices(self, tenant_id: str) -> list[KnownDevice]:
        """Return the devices of a tenant, those without any value as well."""
        return self._directory.of_tenant(tenant_id)

    def device(self, tenant_id: str, device_id: str) -> KnownDevice | None:
        """Return a device, None if the inventory hasn't it."""
        return self._directory.find(tenant_id, device_id)

    def groups_of(self, tenant_id: str, device_id: str) -> Mapping[str, Group]:
        """Return a device's newest values: by poll group, in the order in which they came first.

        To be read at once: the mapping and the groups change with the next
        frame. Whatever ``Group.newest`` is stays as it is, a newer one takes
        its place.
        """
        return self._groups.of_device(tenant_id, device_id)

    def listen(self, listener: HubListener) -> None:
        """Tell a listener from now on whenever there are newer values."""
        self._listeners.append(listener)

    def unlisten(self, listener: HubListener) -> None:
        """Tell a listener no more."""
        self._listeners = [one for one in self._listeners if one is not listener]

    @contextmanager
    def open_stream(
        self, tenant_id: str, devices: Sequence[str] = (), wanted: Sequence[str] = (), resume: str = ""
    ) -> Iterator[LatestStream]:
        """Give a stream of what these patterns select, beginning with the newest values there are.

        Behind a resume token, those that changed since; ``stream.resumed`` says whether that can be told. Raises TooManyStreams, StreamsClosed, and Refused for a pattern that can't be used.
        """
        if self._closed:
            raise StreamsClosed("the daemon stops serving")
        if len(self._streams) >= self._config.max_streams:
            raise TooManyStreams(f"{len(self._streams)} streams are open, as many as are allowed")
        selection = selection_of(devices, wanted)
        shown = self._points.change_at(tenant_id, selection, resume)
        stream = LatestStream(
            tenant_id,
            Globs(devices),
            Globs(wanted),
            self._catalogue.metrics,
            self._config.stream_batch_bytes,
            lambda: self._points.token(tenant_id, selection),
            resumed=shown is not None,
        )
        self._streams.add(stream)
        metrics.HUB_STREAMS.inc()
        try:
            for group in self._groups:
                stream.offer(group, shown=shown is not None and group.change <= shown)
            yield stream
        finally:
            stream.detach()
            self._streams.discard(stream)
            metrics.HUB_STREAMS.dec()

    # -- what was committed ------------------------------------------------------

    def _take_frame(self, envelope: Envelope) -> None:
        layout_id = envelope.frame.layout_id
        layout = self._layouts.get(envelope.tenant_id, layout_id)
        if layout is None:
            self._park(envelope, layout_id)
        else:
            self._show(layout, envelope.tenant_id, envelope.device_id, _update_of(envelope))

    def _take_table(self, seq: int, envelope: Envelope) -> None:
        delta: TableDelta = envelope.table_delta
        source = self._labels.get(delta.table)
        if source is None:
            return
        known = self._directory.get(envelope.tenant_id, envelope.device_id)
        if known is not None and self._is_news(known, seq, envelope):
            rows = {row.key: source.names(row.fields) for row in delta.upserted}
            removed = set(delta.removed)
            within = key_range_of(delta)
            if within is not None:
                removed |= {key for key in known.things_of(source) if key in within} - rows.keys()
            known.name_things(source, rows, removed, complete=delta.complete)
            types = {row.key: row.fields.get("type", "") for row in delta.upserted}
            known.type_things(source, types, removed, complete=delta.complete)

    def _is_news(self, device: KnownDevice, seq: int, envelope: Envelope) -> bool:
        """Whether nothing later was told of a table: what a collector missed comes behind what is newer."""
        tables = self._told.setdefault((device.tenant_id, device.device_id), {})
        table, stand = envelope.table_delta.table, stand_of("", seq, envelope)
        newest = tables.get(table)
        if envelope.source_seq and newest is not None and stand.is_before(newest):
            metrics.HUB_DISCARDED.labels(reason="stale").inc()
            return False
        tables[table] = stand
        return True

    def _show(self, layout: KnownLayout, tenant_id: str, device_id: str, update: LatestUpdate) -> None:
        if not layout.fits(update):
            metrics.HUB_DISCARDED.labels(reason="malformed").inc()
            return
        group = self._groups.of_device(tenant_id, device_id).get(layout.layout.poll_group)
        if group is None:
            device = self._directory.get(tenant_id, device_id)
            if device is None:
                metrics.HUB_DISCARDED.labels(reason="unknown_device").inc()
                return
            group = Group(device, layout, update)
            group.change = self._points.changed(tenant_id)
            self._add(group)
        elif update.collected_at_us <= group.newest.collected_at_us and not is_from_future(
            group.newest.collected_at_us, SYSTEM_CLOCK.now_us()
        ):
            metrics.HUB_DISCARDED.labels(reason="stale").inc()
            return
        else:
            if group.known is not layout:
                self._layouts.acquire(layout)
                self._layouts.release(group.known)
                group.known = layout
            group.newest = update
            group.change = self._points.changed(tenant_id)
            group.announce()
        for listener in self._listeners:
            listener.group_changed(group)

    def _add(self, group: Group) -> None:
        self._layouts.acquire(group.known)
        self._groups.add(group)
        metrics.HUB_GROUPS.set(len(self._groups))
        for stream in self._streams:
            stream.offer(group)

    def _drop(self, device: KnownDevice) -> None:
        self._points.void(device.tenant_id)
        self._told.pop((device.tenant_id, device.device_id), None)
        for group in self._groups.remove(device.tenant_id, device.device_id):
            self._layouts.release(group.known)
            for follower in list(group.followers):
                follower.stream.forget(group)
        for listener in self._listeners:
            listener.device_gone(device)

    # -- layouts that aren't in memory -------------------------------------------

    def _park(self, envelope: Envelope, layout_id: int) -> None:
        """Keep a frame until its layout is read. Bound: one per device, of so many layouts; then dropped."""
        key = (envelope.tenant_id, layout_id)
        if key not in self._parked and len(self._parked) >= self._config.max_unused_layouts:
            metrics.HUB_DISCARDED.labels(reason="unknown_layout").inc()
            return
        self._parked.setdefault(key, {})[envelope.device_id] = _update_of(envelope)
        if not self._loading and not self._closed:
            self._loading = True
            self._tasks.spawn("load_layouts", self._load_layouts())

    async def _load_layouts(self) -> None:
        """Read missing layouts one by one, and show the frames that wait for them."""
        try:
            while self._parked:
                tenant_id, layout_id = key = next(iter(self._parked))
                known = self._layouts.get(tenant_id, layout_id)
                if known is None:
                    layout = await self._read_layout(tenant_id, layout_id)
                    known = self._layouts.declare(tenant_id, layout) if layout is not None else None
                frames = self._parked.pop(key)
                if known is None:
                    metrics.HUB_DISCARDED.labels(reason="unknown_layout").inc(len(frames))
                    continue
                for device_id, update in frames.items():
                    self._show(known, tenant_id, device_id, update)
        finally:
            self._loading = False

    async def _read_layout(self, tenant_id: str, layout_id: int) -> Layout | None:
        try:
            async with asyncio.timeout(self._config.backend_deadline_s):
                return await self._telemetry.layout(tenant_id, layout_id)
        except (Retryable, TimeoutError) as error:
            # The next frame asks again; until then the device shows what it did.
            logger.warning("layout %d can't be read now: %s", layout_id, error)
            return None


def _update_of(envelope: Envelope) -> LatestUpdate:
    """Copy a frame. Keeping it would keep the whole batch that it was parsed with in memory."""
    frame = envelope.frame
    update = LatestUpdate(collected_at_us=envelope.collected_at_us, received_at_us=envelope.received_at_us)
    update.counters.extend(frame.counters)
    update.counters_present = frame.counters_present
    update.gauges.extend(frame.gauges)
    update.rates.extend(frame.rates)
    return update


def _update_of_stored(stored: LatestFrame) -> LatestUpdate:
    update = LatestUpdate(collected_at_us=stored.collected_us, received_at_us=stored.received_us)
    update.counters.extend(0 if value is None else value for value in stored.counters)
    if None in stored.counters:
        update.counters_present = presence_bitmap(stored.counters)
    update.gauges.extend(stored.gauges)
    update.rates.extend(stored.rates)
    return update
