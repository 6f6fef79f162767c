"""A day of a device as what is kept of closed hours: axes, blocks, rollups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mtd.backfill.fleet import DevicePlan
from mtd.backfill.history import DeviceHour
from mtd.codec import rollups
from mtd.codec.blocks import Axis, Block, encode_axis, encode_counters, encode_gauges
from mtd.codec.rollups import Buckets
from mtd.model.layout import Series
from mtd.model.rates import GAP_INTERVALS

Ints = NDArray[np.int64]

_HOUR_S, _HOUR_MS, _HOUR_US = 3600, 3_600_000, 3_600_000_000
_MAX_GAP_MS = int(GAP_INTERVALS * 1000)
# So many values at once stay in the processor's cache, or near it.
_VALUES_AT_ONCE = 2_000_000
STEPS_S = (10, 60, 300)
"""Steps of the rollups. The first has a row for each hour, the others one for each day."""


@dataclass(slots=True, eq=False)
class EncodedDay:
    """Hours are microseconds since the epoch; a place is the number of one of the encoder's series."""

    points: int = 0
    axes: list[tuple[int, Axis]] = field(default_factory=list)
    blocks: list[tuple[int, int, Block]] = field(default_factory=list)  # hour, place, block
    rollups: list[tuple[int, int, Buckets]] = field(default_factory=list)  # step, place, buckets


class DayEncoder:
    """Encodes the hours of one device, one after the other: the first interval of each reaches back."""

    def __init__(self, plan: DevicePlan, *, dense: bool = False) -> None:
        self.series: list[Series] = [*plan.counters(), *plan.gauge_series()]
        self._counters = len(plan.counters())
        self._dense = dense
        self._before: list[rollups.Before] = [()] * self._counters

    def encode(self, hours: Iterable[DeviceHour]) -> EncodedDay:
        """Encode consecutive hours of one UTC day, or some of it."""
        found = EncodedDay()
        parts: dict[tuple[int, int], list[Buckets]] = {}
        waiting = iter(hours)
        at_once = max(1, _VALUES_AT_ONCE // (_HOUR_S * max(1, len(self.series))))
        while together := list(islice(waiting, at_once)):
            for hour in together:
                found.points += hour.points
                if len(hour.us):
                    found.axes.append((hour.hour * _HOUR_US, encode_axis(_ms(hour) - hour.hour * _HOUR_MS)))
                    found.blocks.extend(self._blocks(hour))
            for step_s, place, buckets in self._buckets(together):
                parts.setdefault((step_s, place), []).append(buckets)
        for (step_s, place), several in parts.items():
            found.rollups.extend(_rows(step_s, place, several))
        return found

    def skip(self, hour: DeviceHour) -> None:
        """Pass over an hour that is stored already; the next one goes on from it."""
        self._note(hour)

    def _blocks(self, hour: DeviceHour) -> Iterator[tuple[int, int, Block]]:
        start_us = hour.hour * _HOUR_US
        for place, values in enumerate(hour.counters):
            absent = None if hour.absent is None else hour.absent[place]
            if absent is None or not absent.all():
                yield start_us, place, encode_counters(values, absent, dense=self._dense)
        for place, gauge in enumerate(hour.gauges, start=self._counters):
            if not np.isnan(gauge).all():
                yield start_us, place, encode_gauges(gauge, dense=self._dense)

    def _buckets(self, hours: Sequence[DeviceHour]) -> Iterator[tuple[int, int, Buckets]]:
        start_s, seconds = hours[0].hour * _HOUR_S, len(hours) * _HOUR_S
        ms = np.concatenate([_ms(hour) for hour in hours])
        absent = _absent(hours)
        for place in range(self._counters):
            values = np.concatenate([hour.counters[place] for hour in hours])
            at = ms
            if absent is not None and absent[place].any():
                at, values = ms[~absent[place]], values[~absent[place]]
            before = self._before[place]
            grown = rollups.growth(at, values, before, _MAX_GAP_MS)
            for step_s in STEPS_S:
                buckets = rollups.grown_buckets(
                    at, values, grown, step_s, start_s, seconds // step_s, before=before
                )
                yield step_s, place, buckets
            self._before[place] = rollups.following(self._before[place], at, values)
        for number in range(len(self.series) - self._counters):
            gauge = np.concatenate([hour.gauges[number] for hour in hours])
            said = ~np.isnan(gauge)
            at, gauge = (ms, gauge) if said.all() else (ms[said], gauge[said])
            for step_s in STEPS_S:
                buckets = rollups.gauge_buckets(at, gauge, step_s, start_s, seconds // step_s)
                yield step_s, self._counters + number, buckets

    def _note(self, hour: DeviceHour) -> None:
        for place, values in enumerate(hour.counters):
            there = np.ones(len(values), np.bool_) if hour.absent is None else ~hour.absent[place]
            self._before[place] = rollups.following(self._before[place], _ms(hour)[there], values[there])


def _rows(step_s: int, place: int, parts: Sequence[Buckets]) -> Iterator[tuple[int, int, Buckets]]:
    """Give the buckets as rows hold them; a row without any point isn't kept."""
    whole = rollups.concatenate(parts)
    rows = [whole]
    if step_s == STEPS_S[0]:
        rows = [
            rollups.cut(whole, start, start + _HOUR_S) for start in range(whole.start_s, whole.end_s, _HOUR_S)
        ]
    return ((step_s, place, row) for row in rows if row.count.any())


def _absent(hours: Sequence[DeviceHour]) -> NDArray[np.bool_] | None:
    if all(hour.absent is None for hour in hours):
        return None
    masks = [
        np.zeros(hour.counters.shape, dtype=np.bool_) if hour.absent is None else hour.absent
        for hour in hours
    ]
    return np.concatenate(masks, axis=1)


def _ms(hour: DeviceHour) -> Ints:
    # Floor, as the compaction does.
    return hour.us // 1000
