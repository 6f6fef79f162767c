"""What one stream shows of one layout: compiled once, applied to each update."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from mtd.api.grpc.directory import KnownDevice
from mtd.api.grpc.globs import Globs
from mtd.api.grpc.layouts import KnownLayout, scope_and_unit
from mtd.model.metric import Lane, Metric, full_key
from mtd.model.pb_enums import LANE
from mtd.pb.telemetry.v1.telemetry_service_pb2 import LatestUpdate, SeriesInfo, StreamLayout

WIDTHS = {Lane.COUNTER: 10, Lane.GAUGE: 8, Lane.RATE: 4}
HEAD_BYTES = 64

Pick = Callable[[Sequence[Any]], Sequence[Any]]


class View:
    """A selection of a layout's series, numbered within its stream."""

    __slots__ = (
        "_counter_indexes",
        "_counters",
        "_gauges",
        "_known",
        "_names",
        "_rates",
        "_version",
        "empty",
        "max_bytes",
        "number",
        "whole",
    )

    def __init__(
        self, known: KnownLayout, device: KnownDevice, number: int, indexes: Mapping[Lane, Sequence[int]]
    ) -> None:
        self._known = known
        self._names = device.names(known.things)
        self._version = device.version
        self.number = number
        chosen = sum(map(len, indexes.values()))
        self.empty = chosen == 0
        self.whole = chosen == len(known.layout.series)
        # A varint takes ten bytes at most.
        self.max_bytes = sum(len(indexes[lane]) * width for lane, width in WIDTHS.items()) + HEAD_BYTES
        self._counter_indexes = indexes[Lane.COUNTER]
        self._counters = _picker(indexes[Lane.COUNTER])
        self._gauges = _picker(indexes[Lane.GAUGE])
        self._rates = _picker(indexes[Lane.RATE])

    def is_current(self, known: KnownLayout, device: KnownDevice) -> bool:
        """Return whether it still says what people would read."""
        if known is not self._known:
            return False
        if device.version != self._version:
            # Something on the device was renamed: most often nothing that is shown here.
            if device.names(known.things) != self._names:
                return False
            self._version = device.version
        return True

    def fill(self, target: LatestUpdate, source: LatestUpdate) -> None:
        """Fill an update with the selected values of a whole one."""
        if self.whole:
            target.CopyFrom(source)
        else:
            target.collected_at_us = source.collected_at_us
            target.received_at_us = source.received_at_us
            # Slices are lists: one copy each instead of a call for each value.
            target.counters.extend(self._counters(source.counters[:]))
            target.counters_present = self._presence(source.counters_present)
            target.gauges.extend(self._gauges(source.gauges[:]))
            target.rates.extend(self._rates(source.rates[:]))
        target.layout = self.number

    def _presence(self, bitmap: bytes) -> bytes:
        if not bitmap:
            return b""
        bits = int.from_bytes(bitmap, "little")
        picked = 0
        for position, index in enumerate(self._counter_indexes):
            picked |= (bits >> index & 1) << position
        count = len(self._counter_indexes)
        return b"" if picked == (1 << count) - 1 else picked.to_bytes((count + 7) // 8, "little")


def compile_view(
    known: KnownLayout, device: KnownDevice, wanted: Globs, catalogue: Mapping[str, Metric], number: int
) -> tuple[View, StreamLayout]:
    """Return the view of a device's layout through metric patterns, and the message that declares it."""
    layout = known.layout
    message = StreamLayout(
        layout=number, device_id=device.device_id, device_name=device.name, poll_group=layout.poll_group
    )
    indexes: dict[Lane, list[int]] = {lane: [] for lane in Lane}
    seen = dict.fromkeys(Lane, 0)
    for series in layout.series:
        position = seen[series.lane]
        seen[series.lane] += 1
        scope, unit = scope_and_unit(series.metric, series.instance, catalogue)
        label = device.label(scope, series.instance)
        key = full_key(series.metric, scope, label)
        if not wanted.matches(series.metric, key):
            continue
        indexes[series.lane].append(position)
        info: SeriesInfo = message.series.add(key=key, label=label, unit=unit)
        info.series.metric = series.metric
        info.series.instance = series.instance
        info.series.lane = LANE.to_pb(series.lane)
    return View(known, device, number, indexes), message


def _picker(indexes: Sequence[int]) -> Pick:
    if not indexes:
        return lambda _: ()
    if len(indexes) == 1:
        only = indexes[0]
        return lambda values: (values[only],)
    return itemgetter(*indexes)
