"""Polls of one hour from several sources, in order, each once.

A source is what one layout's frames hold, or what is stored already. All gives
one axis; each poll of each source has a place on it. Pure NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mtd.model.layout import Series
from mtd.model.metric import Lane

Bits = NDArray[np.int64]
"""Values of either lane as 64 bits: counters as they are, gauges as the bits of their doubles."""

SERIES_AT_ONCE = 64
"""Series that are transposed together: a megabyte or two, which stays in the cache."""


class Source(Protocol):
    """Polls with the values of some series."""

    @property
    def ms(self) -> NDArray[np.int64]:
        """When each poll was, milliseconds after the hour began."""

    @property
    def order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What orders polls of the same millisecond: (major, minor)."""

    def series(self, lane: Lane) -> Sequence[Series]:
        """Return the series of a lane that it knows."""

    def take(self, lane: Lane, wanted: Sequence[Series]) -> tuple[Bits, NDArray[np.bool_]]:
        """Return values and absences of these series, each (series, polls); absent is what it doesn't know."""

    def unrated(self, one: Series) -> NDArray[np.bool_] | None:
        """Return the polls at which no rate of a counter was told; None: it knows of none."""

    def withheld(self, one: Series) -> NDArray[np.int32] | None:
        """Return the polls whose rates of a counter are withheld since it was stored; None: there are none."""


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The polls of all sources.

    ``places`` gives, for each source, where each of its polls is on the axis;
    ``ms`` is ascending. ``duplicates`` counts polls that were there already.
    """

    ms: NDArray[np.int64]
    places: tuple[NDArray[np.int64], ...]
    duplicates: int


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """The merged values of some series, (series, polls), and each source's own part for the comparison."""

    series: Sequence[Series]
    bits: Bits
    absent: NDArray[np.bool_]
    parts: Sequence[tuple[Bits, NDArray[np.bool_]]]


def all_series(sources: Sequence[Source], lane: Lane) -> list[Series]:
    """Return the series of all sources, in the order in which they appear."""
    found: dict[Series, None] = {}
    for source in sources:
        found.update(dict.fromkeys(source.series(lane)))
    return list(found)


def merge(sources: Sequence[Source]) -> Merged:
    """Order the polls of all sources; those that repeat another of the same millisecond, value by value, share its place."""
    ms = np.concatenate([source.ms for source in sources])
    major = np.concatenate([source.order[0] for source in sources])
    minor = np.concatenate([source.order[1] for source in sources])
    order = np.lexsort((minor, major, ms))
    twin = _twins(sources, ms, order)
    kept = twin == np.arange(len(ms))
    # The n-th kept poll, in order, has place n; a duplicate has that of its twin.
    place = np.empty(len(ms), dtype=np.int64)
    kept_in_order = order[kept[order]]
    place[kept_in_order] = np.arange(len(kept_in_order))
    place = place[twin]
    ends = np.cumsum([len(source.ms) for source in sources])
    return Merged(ms[kept_in_order], tuple(np.split(place, ends[:-1])), int(len(ms) - len(kept_in_order)))


def _twins(sources: Sequence[Source], ms: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each poll the first one that it repeats; itself if it repeats none."""
    pairs = _same_moment(ms[order])
    if not pairs:
        return np.arange(len(ms))
    for lane in (Lane.COUNTER, Lane.GAUGE):
        for series in portions(sources, lane):
            parts = [source.take(lane, series) for source in sources]
            bits = np.concatenate([part[0] for part in parts], axis=1)[:, order]
            absent = np.concatenate([part[1] for part in parts], axis=1)[:, order]
            pairs = [
                (earlier[_equal(bits, absent, earlier, earlier + distance)], distance)
                for earlier, distance in pairs
            ]
    first = np.arange(len(ms))
    for earlier, distance in pairs:
        # To be equal is transitive: the first of those that are is one that repeats none.
        first[earlier + distance] = np.minimum(first[earlier + distance], earlier)
    twin = np.empty_like(order)
    twin[order] = order[first]
    return twin


def _same_moment(ms: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], int]]:
    """Return all pairs of ascending times that are equal: the places of the earlier ones, and how far on the later are."""
    pairs: list[tuple[NDArray[np.int64], int]] = []
    for distance in range(1, len(ms)):
        earlier = np.flatnonzero(ms[distance:] == ms[:-distance])
        if not len(earlier):
            break
        pairs.append((earlier, distance))
    return pairs


def _equal(
    bits: Bits, absent: NDArray[np.bool_], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Whether polls have the same values, and lack the same."""
    missing = absent[:, one]
    same = ((bits[:, one] == bits[:, other]) | missing) & (missing == absent[:, other])
    equal: NDArray[np.bool_] = same.all(axis=0)
    return equal


def portions(sources: Sequence[Source], lane: Lane) -> list[list[Series]]:
    """Return the series of a lane, as many together as ``merged_slice`` is to take."""
    series = all_series(sources, lane)
    return [series[first : first + SERIES_AT_ONCE] for first in range(0, len(series), SERIES_AT_ONCE)]


def merged_slice(sources: Sequence[Source], merged: Merged, lane: Lane, series: Sequence[Series]) -> Slice:
    """Return the values of some series on the merged axis."""
    parts = [source.take(lane, series) for source in sources]
    if len(parts) == 1 and _is_straight(merged.places[0], len(merged.ms)):
        return Slice(series, parts[0][0], parts[0][1], parts)
    bits = np.zeros((len(series), len(merged.ms)), dtype=np.int64)
    absent = np.ones((len(series), len(merged.ms)), dtype=np.bool_)
    for (values, missing), place in zip(parts, merged.places, strict=True):
        bits[:, place] = values
        absent[:, place] = missing
    return Slice(series, bits, absent, parts)


def unrated(
    sources: Sequence[Source], merged: Merged, one: Series
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Return at which merged polls no rate of a counter was told, and at which it is withheld already; None: at none."""
    found = [(source.unrated(one), source.withheld(one)) for source in sources]
    if all(untold is None and kept is None for untold, kept in found):
        return None
    told_none = np.zeros(len(merged.ms), dtype=np.bool_)
    withheld = np.zeros(len(merged.ms), dtype=np.bool_)
    for (untold, kept), place in zip(found, merged.places, strict=True):
        if untold is not None:
            told_none[place[untold]] = True
        if kept is not None:
            withheld[place[kept]] = True
    return told_none, withheld


def _is_straight(place: NDArray[np.int64], polls: int) -> bool:
    return len(place) == polls and bool((place == np.arange(polls)).all())
