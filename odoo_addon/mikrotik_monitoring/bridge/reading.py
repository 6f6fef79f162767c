"""Frames of mtd as the widgets read them: the newest values of one poll group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

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
    """How frames of one layout are read. Made once per layout."""

    def __init__(self, layout: Any) -> None:
        self.layout = layout
        self._scalars: list[tuple[str, str, _Place]] = []
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
            self._scalars.append((series.metric, series.unit, place))
            return
        self._metrics[series.metric] = series.unit
        self._labels[series.instance] = series.label
        self._places.setdefault(series.instance, {})[series.metric] = place

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
            tuple((metric, unit, at(place)) for metric, unit, place in self._scalars),
            tuple(self._metrics.items()),
            tuple(
                (instance, self._labels[instance], tuple(at(places.get(metric)) for metric in self._metrics))
                for instance, places in self._places.items()
            ),
        )


def _counters(values: Sequence[int], present: bytes) -> Iterator[int | str | None]:
    bits = int.from_bytes(present, "little") if present else -1
    for position, value in enumerate(values):
        if not bits >> position & 1:
            yield None
        else:
            yield value if value <= MAX_SAFE else str(value)


def _number(value: float) -> float | int | None:
    """Return a number with as many digits as anyone can use; None for what is absent."""
    if value - value != 0.0:  # NaN and the infinities
        return None
    rounded = round(value) if abs(value) >= _WHOLE_FROM else round(value, 3)
    return int(rounded) if rounded == int(rounded) else rounded
