"""All values of one device: its layouts and its updates as text, shared by all who look at it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from mtd.api.console.encode import encode, exact
from mtd.api.grpc.directory import KnownDevice
from mtd.api.grpc.latest_stream import Group
from mtd.api.grpc.layouts import KnownLayout, scope_and_unit
from mtd.model.metric import Metric, full_key
from mtd.pb.telemetry.v1.telemetry_service_pb2 import LatestUpdate


@dataclass(slots=True)
class ShownLayout:
    """A layout as people read it on one device. ``number`` is the process's own: names that change get a new one."""

    number: int
    known: KnownLayout
    names: tuple[str, ...]
    version: int
    text: str
    update: LatestUpdate | None = None
    update_text: str = ""


class DetailTexts:
    """Makes the texts of groups; cards keep them for as long as someone looks."""

    def __init__(self, catalogue: Mapping[str, Metric]) -> None:
        self._catalogue = catalogue
        self._numbers = itertools.count(1)

    def update(self, shown: ShownLayout, group: Group) -> None:
        """Make the text of a group's newest values, unless it is there."""
        if shown.update is not group.newest:
            shown.update = group.newest
            shown.update_text = _update_text(shown.number, group.newest)

    def layout(self, group: Group) -> ShownLayout:
        """Make the text of a group's layout: some microseconds per series. May be called in a thread."""
        number, device, layout = next(self._numbers), group.device, group.known.layout
        series = [
            self._series(device, entry.metric, entry.instance, entry.lane.value) for entry in layout.series
        ]
        text = encode({"layout": number, "group": layout.poll_group, "series": series})
        return ShownLayout(number, group.known, device.names(group.known.things), device.version, text)

    def _series(self, device: KnownDevice, metric: str, instance: str, lane: str) -> dict[str, str]:
        scope, unit = scope_and_unit(metric, instance, self._catalogue)
        label = device.label(scope, instance)
        return {
            "key": full_key(metric, scope, label),
            "metric": metric,
            "instance": instance,
            "label": label,
            "unit": unit,
            "lane": lane,
        }


def is_current(shown: ShownLayout, group: Group) -> bool:
    """Return whether a layout is still what people would read."""
    if shown.known is not group.known:
        return False
    if shown.version != group.device.version:
        if group.device.names(group.known.things) != shown.names:
            return False
        shown.version = group.device.version
    return True


def _update_text(number: int, update: LatestUpdate) -> str:
    return encode(
        {
            "layout": number,
            "t_us": update.collected_at_us,
            "counters": exact(update.counters[:], update.counters_present),
            "gauges": update.gauges[:],
            "rates": update.rates[:],
        }
    )
