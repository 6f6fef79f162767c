"""Frames of mtd as the widgets read them: the newest values of one poll group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from .bounds import MOST_PARTS, MOST_TEXT, text_within
from .shown import METRICS

# JavaScript holds integers up to here exactly.
MAX_SAFE = 2**53 - 1
_SHOWN = frozenset(METRICS)
_WHOLE_FROM = 1000.0

# The lane of a value, and its position there.
_Place: TypeAlias = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """The newest values of a poll group.

    ``scalars`` are of the device itself: (metric, unit, value). ``rows`` are of its parts: (instance, label, a value
    for each of ``metrics``), None where a part has no such value.
    """

    group: str
    t_us: int
    scalars: tuple[tuple[str, str, Any], ...]
    metrics: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, str, tuple[Any, ...]], ...]


class LayoutPlan:
    """How frames of one layout are read. Made once per layout. ``left_out``: how many series of too many parts."""

    def __init__(self, layout: Any) -> None:
        self.layout = layout
        self.left_out = 0
        self._scalars: dict[str, tuple[str, _Place]] = {}
        self._metrics: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._places: dict[str, dict[str, _Place]] = {}
        seen = {"counter": 0, "gauge": 0, "rate": 0}
        for series in layout.series:
            place = (series.lane, seen[series.lane])
            seen[series.lane] += 1
            if series.metric in _SHOWN:
                self._take(series, place)

    def _take(self, series: Any, place: _Place) -> None:
        if not series.instance:
            self._scalars[series.metric] = (text_within(series.unit), place)
            return
        if series.instance not in self._labels and not self._has_room(series.instance):
            self.left_out += 1
            return
        self._metrics[series.metric] = text_within(series.unit)
        self._labels[series.instance] = text_within(series.label)
        self._places.setdefault(series.instance, {})[series.metric] = place

    def _has_room(self, instance: str) -> bool:
        return len(self._labels) < MOST_PARTS and len(instance) <= MOST_TEXT

    def read(self, frame: Any) -> Reading:
        """Return the values of a frame."""
        lanes: dict[str, list[Any]] = {
            "counter": list(_counters(frame.counters, frame.counters_present)),
            "gauge": [_number(value) for value in frame.gauges],
            "rate": [_number(value) for value in frame.rates],
        }

        def at(place: _Place | None) -> Any:
            return None if place is None else lanes[place[0]][place[1]]

        return Reading(
            self.layout.poll_group,
            frame.collected_at_us,
            tuple((metric, unit, at(place)) for metric, (unit, place) in self._scalars.items()),
            tuple(self._metrics.items()),
            tuple(
                (instance, self._labels[instance], tuple(at(places.get(metric)) for metric in self._metrics))
                for instance, places in self._places.items()
            ),
        )


def _counters(values: Sequence[int], present: bytes) -> Iterator[int | str | None]:
    for position, value in enumerate(values):
        if present and not _is_set(present, position):
            yield None
        else:
            yield value if value <= MAX_SAFE else str(value)


def _is_set(bits: bytes, position: int) -> bool:
    return position >> 3 < len(bits) and bool(bits[position >> 3] >> (position & 7) & 1)


def _number(value: float) -> float | int | None:
    """Return a number with as many digits as anyone can use; None for what is absent."""
    if value - value != 0.0:  # NaN and the infinities
        return None
    rounded = round(value) if abs(value) >= _WHOLE_FROM else round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded
