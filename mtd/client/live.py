"""Live values: frames of a stream, and the samples in them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mtd.client.values import moment, word
from mtd.pb.common.v1 import series_pb2
from mtd.pb.telemetry.v1 import telemetry_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class LiveSeries:
    """A series as people read it. ``lane`` is ``counter``, ``gauge`` or ``rate``."""

    key: str
    metric: str
    instance: str
    label: str
    unit: str
    lane: str


@dataclass(frozen=True, slots=True)
class LiveLayout:
    """Names the values of frames: within a lane, the n-th series is the n-th value."""

    device_id: str
    device_name: str
    poll_group: str
    series: Sequence[LiveSeries]


@dataclass(frozen=True, slots=True)
class Sample:
    """One value. ``value_int`` is the exact integer of a counter, None for anything else."""

    device_id: str
    device: str
    key: str
    metric: str
    instance: str
    label: str
    unit: str
    value: float
    value_int: int | None
    collected_at: dt.datetime


class LiveFrame:
    """The newest values of one poll group of one device.

    Lanes are as sent, for readers in a hurry: absent counters are 0 with their
    bit cleared in ``counters_present``, absent gauges and rates NaN.
    ``samples`` leaves out what is absent. Times are microseconds since the epoch.
    """

    __slots__ = ("_update", "layout")

    def __init__(self, layout: LiveLayout, update: pb.LatestUpdate) -> None:
        self.layout = layout
        self._update = update

    @property
    def collected_at_us(self) -> int:
        """When the router was read, by the collector's clock."""
        return self._update.collected_at_us

    @property
    def received_at_us(self) -> int:
        """When the hub received it."""
        return self._update.received_at_us

    @property
    def skipped(self) -> int:
        """How many updates of this device and group this stream skipped so far."""
        return self._update.skipped

    @property
    def counters(self) -> Sequence[int]:
        """Counters, exact."""
        return self._update.counters

    @property
    def counters_present(self) -> bytes:
        """Bit n, least significant first, is set if counter n is there; empty: all are."""
        return self._update.counters_present

    @property
    def gauges(self) -> Sequence[float]:
        """Gauges, and states by their number."""
        return self._update.gauges

    @property
    def rates(self) -> Sequence[float]:
        """Rates per second."""
        return self._update.rates

    def samples(self) -> Iterator[Sample]:
        """Yield the values that are there, in the order of the layout."""
        layout = self.layout
        collected_at = moment(self.collected_at_us)
        bits = int.from_bytes(self.counters_present, "little") if self.counters_present else -1
        counters, gauges, rates = enumerate(self.counters), iter(self.gauges), iter(self.rates)
        for series in layout.series:
            exact: int | None = None
            if series.lane == "counter":
                position, exact = next(counters)
                if not bits >> position & 1:
                    continue
                value = float(exact)
            else:
                value = next(rates if series.lane == "rate" else gauges)
                if value != value:
                    continue
            yield Sample(
                layout.device_id,
                layout.device_name,
                series.key,
                series.metric,
                series.instance,
                series.label,
                series.unit,
                value,
                exact,
                collected_at,
            )


class LayoutBook:
    """Layouts of one stream. The newest of a device's poll group replaces the one before.

    ``on_gone`` is told the id of a device that the stream doesn't show any more.
    """

    def __init__(self, on_gone: Callable[[str], None] | None = None) -> None:
        self._on_gone = on_gone
        self._layouts: dict[int, LiveLayout] = {}
        self._numbers: dict[tuple[str, str], int] = {}

    def clear(self) -> None:
        """Forget everything: another stream begins, and its numbers with it."""
        self._layouts.clear()
        self._numbers.clear()

    def take(self, response: pb.StreamLatestResponse) -> list[LiveFrame]:
        """Return the frames of a message; none if it was a layout, or about a device that is gone."""
        kind = response.WhichOneof("message")
        if kind == "layout":
            self._declare(response.layout)
            return []
        if kind == "update":
            return self._frames((response.update,))
        if kind == "gone":
            self._drop(response.gone.device_id)
            return []
        for declared in response.batch.layouts:
            self._declare(declared)
        return self._frames(response.batch.updates)

    def _frames(self, updates: Iterable[pb.LatestUpdate]) -> list[LiveFrame]:
        known = ((self._layouts.get(update.layout), update) for update in updates)
        return [LiveFrame(layout, update) for layout, update in known if layout is not None]

    def _drop(self, device_id: str) -> None:
        for group in [group for group in self._numbers if group[0] == device_id]:
            self._layouts.pop(self._numbers.pop(group), None)
        if self._on_gone is not None:
            self._on_gone(device_id)

    def _declare(self, declared: pb.StreamLayout) -> None:
        group = (declared.device_id, declared.poll_group)
        self._layouts.pop(self._numbers.get(group, 0), None)
        self._numbers[group] = declared.layout
        self._layouts[declared.layout] = LiveLayout(
            declared.device_id,
            declared.device_name,
            declared.poll_group,
            tuple(
                LiveSeries(
                    info.key,
                    info.series.metric,
                    info.series.instance,
                    info.label,
                    info.unit,
                    word(series_pb2.Lane, info.series.lane, "LANE_"),
                )
                for info in declared.series
            ),
        )
