"""The series of a device that patterns name, and where each of them is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mtd.core.errors import NotFound, Refused
from mtd.model.metric import Lane, full_key
from mtd.queries.history.hot import HotFrames, Place
from mtd.queries.patterns import matcher
from mtd.storage.cold.connection import ColdConnection

MAX_SERIES = 2000


class _Metric(NamedTuple):
    """What the catalogue says of a metric. A rate has the key of its counter in ``rate_of``."""

    scope: str
    unit: str
    rate_of: str
    rate_scale: float
    label_tables: Sequence[str] = ()


_UNKNOWN = _Metric("", "", "", 1.0)


@dataclass(slots=True)
class Selected:
    """A series that was chosen, and where it is.

    ``places``: in frames, by layout; ``ids``: numbers of its blocks, each with
    its poll group (more than one if the metric moved). A rate has the
    ``counter_places`` and the ``ids`` of its counter, whose key is ``counter``,
    and the ``scale`` that turns its growth per second into the rate.
    """

    metric: str
    instance: str
    lane: Lane
    label: str
    key: str
    unit: str
    scale: float = 1.0
    counter: str = ""
    places: list[Place] = field(default_factory=list)
    counter_places: list[Place] = field(default_factory=list)
    ids: dict[int, str] = field(default_factory=dict)

    @property
    def stored_lane(self) -> Lane:
        """What its blocks and rollups hold: of rates there are none."""
        return Lane.GAUGE if self.lane is Lane.GAUGE else Lane.COUNTER

    @property
    def stored_metric(self) -> str:
        """The key of what its blocks and rollups hold."""
        return self.counter or self.metric


def device_id_of(conn: ColdConnection, tenant_id: str, device: str) -> str:
    """Return the id of a device by its name or id. Raises NotFound."""
    rows = conn.fetch(
        "SELECT device_id::text FROM device WHERE tenant_id = %s AND (device_id::text = %s OR name = %s)"
        " ORDER BY device_id::text = %s DESC LIMIT 1",
        (tenant_id, device, device, device),
    )
    if not rows:
        raise NotFound(f"there is no device {device!r}")
    return str(rows[0][0])


def select_series(
    conn: ColdConnection, tenant_id: str, device_id: str, hot: HotFrames, patterns: Sequence[str]
) -> list[Selected]:
    """Return the series whose catalogue key or full key matches, by key; all if there is no pattern."""
    found = _Found(_catalogue(conn, tenant_id), patterns)
    found.labels = _labels(conn, tenant_id, device_id, found.catalogue.values())
    for metric, instance, place in hot.entries(conn, tenant_id):
        one = found.get(metric, instance, place.lane)
        if one is not None:
            one.places.append(place)
        for rate in found.rates_of(metric, instance, place.lane):
            rate.counter_places.append(place)
    for series_id, metric, instance, stored_lane, group in conn.fetch(
        "SELECT series_id, metric, instance, lane, poll_group FROM series WHERE device_id = %s AND tenant_id = %s",
        (device_id, tenant_id),
    ):
        lane = Lane(stored_lane)
        one = found.get(metric, instance, lane)
        if one is not None:
            one.ids[series_id] = group
        for rate in found.rates_of(metric, instance, lane):
            rate.ids[series_id] = group
    chosen = found.chosen()
    if len(chosen) > MAX_SERIES:
        raise Refused(
            f"{len(chosen)} series match, at most {MAX_SERIES} are read at once: narrow the metrics"
        )
    return chosen


def _catalogue(conn: ColdConnection, tenant_id: str) -> dict[str, _Metric]:
    rows = conn.fetch(
        "SELECT key, scope, unit, rate_of, rate_scale, label_tables FROM metric WHERE tenant_id = %s",
        (tenant_id,),
    )
    return {key: _Metric(*rest) for key, *rest in rows}


def _labels(
    conn: ColdConnection, tenant_id: str, device_id: str, metrics: Iterable[_Metric]
) -> dict[tuple[str, str], str]:
    tables = sorted({table for metric in metrics for table in metric.label_tables})
    rows = conn.fetch(
        "SELECT scope, instance, label FROM instance_label"
        " WHERE tenant_id = %s AND device_id = %s AND table_name = ANY (%s)",
        (tenant_id, device_id, tables),
    )
    return {(scope, instance): label for scope, instance, label in rows if label is not None}


class _Found:
    """Series by metric, instance and lane; each is held against the patterns once."""

    def __init__(self, catalogue: Mapping[str, _Metric], patterns: Sequence[str]) -> None:
        self.catalogue = catalogue
        self.labels: Mapping[tuple[str, str], str] = {}
        self._rates: dict[str, list[tuple[str, float]]] = {}
        for key, metric in catalogue.items():
            if metric.rate_of:
                self._rates.setdefault(metric.rate_of, []).append((key, metric.rate_scale))
        self._matches = matcher(patterns)
        self._series: dict[tuple[str, str, Lane], Selected | None] = {}

    def get(self, metric: str, instance: str, lane: Lane) -> Selected | None:
        """Return a series; None if no pattern names it."""
        name = (metric, instance, lane)
        if name not in self._series:
            self._series[name] = self._selected(metric, instance, lane)
        return self._series[name]

    def rates_of(self, metric: str, instance: str, lane: Lane) -> Iterator[Selected]:
        """Yield the chosen rates that are derived from a counter."""
        if lane is not Lane.COUNTER:
            return
        for key, scale in self._rates.get(metric, ()):
            rate = self.get(key, instance, Lane.RATE)
            if rate is not None:
                rate.scale, rate.counter = scale, metric
                yield rate

    def chosen(self) -> list[Selected]:
        """Return all that a pattern names, by key."""
        return sorted((one for one in self._series.values() if one is not None), key=lambda one: one.key)

    def _selected(self, metric: str, instance: str, lane: Lane) -> Selected | None:
        known = self.catalogue.get(metric, _UNKNOWN)
        label = self.labels.get((known.scope, instance), instance)
        key = full_key(metric, known.scope, label)
        if not (self._matches(metric) or self._matches(key)):
            return None
        return Selected(metric, instance, lane, label, key, known.unit)
