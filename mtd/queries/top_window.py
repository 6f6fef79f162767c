"""Interfaces ranked by the mean of a time, from rollups and what isn't rolled up yet. Runs in a thread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mtd.codec.rollups import decode_means
from mtd.queries.errors import TooManyPoints
from mtd.queries.patterns import like
from mtd.queries.records import TopEntry
from mtd.queries.resolution import SECOND_US
from mtd.queries.top import LINK_SPEED, RATES, TopBy
from mtd.queries.top_parts import Growth, Steps, mean_and_most
from mtd.queries.top_polls import PollGroup, Wanted, poll_groups, read_polls, wanted_polls
from mtd.storage.cold.connection import ColdConnection, timestamp
from mtd.storage.cold.damage import readable
from mtd.storage.cold.rollups import LONGEST_ROW_US, read_rollups
from mtd.storage.partitioned import ROLLUPS

_SHORT_S = 1800
_MINUTE_S, _FIVE_MINUTES_S = 60, 300
MOST_STEPS = 5_000_000
"""Steps of all series that one ranking reads, where nothing else is configured."""
# Steps of all series that are held at once: they take 20 bytes each.
_STEPS_AT_ONCE = 500_000

Port = tuple[str, str]
"""Device and instance."""
Ranked = tuple[Port, float, float]
"""What is ranked, by what, and the largest part of it."""


@dataclass(frozen=True, slots=True)
class WindowQuestion:
    """What is ranked over which time until ``now_us``."""

    tenant_id: str
    by: TopBy
    limit: int
    window_s: int
    devices: tuple[str, ...]
    now_us: int

    @property
    def steps(self) -> Steps:
        """Means of so many seconds are the parts of the whole, and the largest is the one that is told."""
        step_s = _MINUTE_S if self.window_s <= _SHORT_S else _FIVE_MINUTES_S
        return Steps(self.now_us - self.window_s * SECOND_US, self.now_us, step_s)


@dataclass(slots=True)
class _Scope:
    """What there is to be read."""

    names: dict[str, str]  # of devices
    scales: dict[str, float]  # of counters: what makes their growth the rate
    series: dict[str, dict[int, tuple[str, str]]] = field(
        default_factory=dict
    )  # of devices: instance, counter
    framed: dict[str, int] = field(default_factory=dict)  # of devices: counters in their newest frames
    groups: list[PollGroup] = field(default_factory=list)
    wanted: Wanted = field(default_factory=Wanted)


def read_top_window(
    conn: ColdConnection, asked: WindowQuestion, most_steps: int = MOST_STEPS
) -> Sequence[TopEntry]:
    """Return the interfaces with the highest means. Raises TooManyPoints before it reads more than so many steps."""
    scope = _Scope(_devices(conn, asked), _counters(conn, asked))
    if not scope.names or not scope.scales:
        return []
    _look(conn, asked, scope)
    _check(conn, asked, scope, most_steps)
    speeds = _speeds(conn, asked) if asked.by is TopBy.UTILIZATION else {}
    ranked: list[Ranked] = []
    for devices in _portions(asked, scope):
        ranked += _ranked(asked, _growth(conn, asked, scope, devices), speeds)
    ranked.sort(key=lambda one: (-one[1], scope.names[one[0][0]], one[0][1]))
    best = ranked[: asked.limit]
    labels = _labels(conn, asked.tenant_id, [port for port, _, _ in best])
    return [
        TopEntry(port[0], scope.names[port[0]], port[1], labels.get(port, port[1]), value, most)
        for port, value, most in best
    ]


def _devices(conn: ColdConnection, asked: WindowQuestion) -> dict[str, str]:
    patterns = list(map(like, asked.devices)) or None
    rows = conn.fetch(
        "SELECT device_id::text, name FROM device WHERE tenant_id = %s AND"
        " (%s::text[] IS NULL OR name LIKE ANY (%s::text[]) OR device_id::text LIKE ANY (%s::text[]))",
        (asked.tenant_id, patterns, patterns, patterns),
    )
    return dict(rows)


def _counters(conn: ColdConnection, asked: WindowQuestion) -> dict[str, float]:
    """Return the counters that the rates are derived from, and their scales."""
    rows = conn.fetch(
        "SELECT rate_of, rate_scale FROM metric WHERE tenant_id = %s AND key = ANY (%s) AND rate_of <> ''",
        (asked.tenant_id, list(RATES[asked.by])),
    )
    return dict(rows)


def _look(conn: ColdConnection, asked: WindowQuestion, scope: _Scope) -> None:
    """Find the series, and where polls are that may not be rolled up yet."""
    for series_id, device_id, instance, metric in conn.fetch(
        "SELECT series_id, device_id::text, instance, metric FROM series"
        " WHERE tenant_id = %s AND lane = 'counter' AND metric = ANY (%s) AND instance <> ''",
        (asked.tenant_id, list(scope.scales)),
    ):
        if device_id in scope.names:
            scope.series.setdefault(device_id, {})[series_id] = (instance, metric)
    scope.groups = poll_groups(conn, asked.tenant_id, list(scope.scales))
    for group in scope.groups:
        for device_id, counters in group.devices.items():
            scope.framed[device_id] = scope.framed.get(device_id, 0) + counters
    scope.wanted = wanted_polls(conn, asked.steps)


def _check(conn: ColdConnection, asked: WindowQuestion, scope: _Scope, most: int) -> None:
    steps = asked.steps
    framed = sum(scope.framed.get(device_id, 0) for device_id in scope.names)
    polls = framed * len(scope.wanted)
    ids = [series_id for series in scope.series.values() for series_id in series]
    rolled = len(ids) * len(steps)
    if polls + rolled > most:
        # Not each series was there all the time: what is stored is counted.
        ((rolled,),) = conn.fetch(
            f"SELECT coalesce(sum(buckets), 0)::int8 FROM {ROLLUPS[steps.step_s].name}"  # noqa: S608 - a constant
            " WHERE series_id = ANY (%s::int4[]) AND start > %s AND start < %s",
            (ids, timestamp(steps.start_us - LONGEST_ROW_US), timestamp(steps.end_us)),
        )
    if polls + rolled > most:
        raise TooManyPoints(
            f"to rank these interfaces over {asked.window_s} s takes {polls + rolled} values,"
            f" more than {most}: name a shorter time, or fewer devices"
        )


def _portions(asked: WindowQuestion, scope: _Scope) -> Iterator[list[str]]:
    """Yield devices, as many at a time as fit into memory together."""
    steps = len(asked.steps)
    portion: list[str] = []
    held = 0
    for device_id in scope.names:
        size = steps * max(len(scope.series.get(device_id, ())), scope.framed.get(device_id, 0))
        if portion and held + size > _STEPS_AT_ONCE:
            yield portion
            portion, held = [], 0
        portion.append(device_id)
        held += size
    if portion:
        yield portion


_Found = dict[Port, dict[str, Growth]]


def _growth(conn: ColdConnection, asked: WindowQuestion, scope: _Scope, devices: Sequence[str]) -> _Found:
    """Return the growth of the counters of some devices."""
    steps = asked.steps
    found: _Found = {}

    def growth_of(port: Port, metric: str) -> Growth:
        metrics = found.setdefault(port, {})
        if metric not in metrics:
            metrics[metric] = Growth(steps)
        return metrics[metric]

    names = {
        series_id: ((device_id, instance), metric)
        for device_id in devices
        for series_id, (instance, metric) in scope.series.get(device_id, {}).items()
    }
    if names:
        for row in read_rollups(conn, steps.step_s, list(names), steps.start_us, steps.end_us):
            conn.check()
            port, metric = names[row.series_id]
            with readable(ROLLUPS[steps.step_s].name, row.series_id, row.start_us):
                means = decode_means(row.packed)
            growth_of(port, metric).add_means(*means, scope.scales[metric])
    points: dict[tuple[Port, str], list[tuple[int, int]]] = {}
    for device_id, instance, metric, *polls in read_polls(
        conn, asked.tenant_id, scope.groups, scope.wanted, devices, list(scope.scales)
    ):
        points.setdefault(((device_id, instance), metric), []).extend(zip(*polls, strict=True))
    for (port, metric), unsorted in points.items():
        conn.check()
        # A poll may be both the first of its step and the last of its hour.
        polled = np.array(sorted(set(unsorted)), dtype=np.int64)
        growth_of(port, metric).add_points(polled[:, 0], polled[:, 1], scope.scales[metric])
    return found


def _ranked(asked: WindowQuestion, found: _Found, speeds: Mapping[Port, float]) -> Iterator[Ranked]:
    """Yield what each interface is ranked by."""
    for port, metrics in found.items():
        factor = 1.0
        if asked.by is TopBy.UTILIZATION:
            if port not in speeds:
                continue
            factor = 100.0 / speeds[port]
        known = mean_and_most(list(metrics.values()), together=asked.by is TopBy.ERRORS)
        if known is not None:
            yield port, factor * known[0], factor * known[1]


def _speeds(conn: ColdConnection, asked: WindowQuestion) -> dict[Port, float]:
    rows = conn.fetch(
        "SELECT f.device_id::text, e.instance, f.gauges[e.position] FROM latest f"
        " JOIN series_layout_entry e ON e.tenant_id = f.tenant_id AND e.layout_id = f.layout_id"
        " WHERE f.tenant_id = %s AND e.metric = %s AND e.lane = 'gauge'",
        (asked.tenant_id, LINK_SPEED),
    )
    return {(device_id, instance): speed for device_id, instance, speed in rows if speed and speed > 0}


def _labels(conn: ColdConnection, tenant_id: str, ports: Sequence[Port]) -> dict[Port, str]:
    rows = conn.fetch(
        "SELECT device_id::text, instance, label FROM instance_label WHERE tenant_id = %s"
        " AND table_name = 'interface' AND device_id = ANY (%s::uuid[])",
        (tenant_id, sorted({device_id for device_id, _ in ports})),
    )
    return {(device_id, instance): label for device_id, instance, label in rows if label}
