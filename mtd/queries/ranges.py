"""Values of one device over time, from raw frames, thinned in PostgreSQL."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mtd.core.errors import NotFound, Refused
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.metric import Lane, full_key
from mtd.queries.patterns import matcher
from mtd.queries.records import RangeAnswer, SeriesPoints
from mtd.storage import literals
from mtd.storage.pool import Database
from mtd.storage.txn import Transaction

DEFAULT_POINTS = 600
MAX_POINTS = 100_000
MAX_SERIES = 2000
MAX_ANSWER_POINTS = 1_000_000
MAX_SCANNED_POINTS = 3_000_000  # about as many as a small machine reads within a reader's statement

_ARRAYS = {Lane.COUNTER: "counters", Lane.GAUGE: "gauges", Lane.RATE: "rates"}


@dataclass(frozen=True, slots=True)
class _Series:
    """A selected series of the device, and where each layout has it."""

    metric: str
    instance: str
    lane: Lane
    label: str
    key: str
    unit: str
    places: list[tuple[int, int]]  # (layout id, subscript)


class RangeQueries:
    """Reads ``telemetry_frame``."""

    def __init__(
        self,
        db: Database,
        *,
        max_answer_points: int = MAX_ANSWER_POINTS,
        max_scanned_points: int = MAX_SCANNED_POINTS,
    ) -> None:
        self._db = db
        self._max_answer_points = max_answer_points
        self._max_scanned_points = max_scanned_points

    async def query_range(
        self,
        device: str,
        patterns: Sequence[str],
        start_us: int,
        end_us: int,
        max_points: int = DEFAULT_POINTS,
        *,
        tenant_id: str = DEFAULT_TENANT_ID,
    ) -> RangeAnswer:
        """Return points of a device's series over [start, end).

        ``device``: name or id. ``patterns``: catalogue keys or full keys with
        wildcards; all series if empty. Of a series with more than
        ``max_points`` stored points come buckets: the mean, of counters the
        last value, at the bucket's start. Raises NotFound and Refused.
        """
        if start_us >= end_us:
            raise Refused("the range is empty: its start isn't before its end")
        if start_us < _FIRST_US or end_us > _LAST_US:
            raise Refused("start and end must be microseconds since 1970, of the years 1 to 9999")
        points = min(max_points or DEFAULT_POINTS, MAX_POINTS)

        async def read(tx: Transaction) -> tuple[int, list[_RawPoints]]:
            device_id = await _device_id(tx, tenant_id, device)
            span = (device_id, start_us, end_us)
            counts = await _frames_by_layout(tx, span)
            chosen = await _select(tx, tenant_id, device_id, list(counts), patterns)
            self._refuse_too_much(chosen, counts, points)
            bucket_us = _bucket_us(chosen, counts, start_us, end_us, points)
            found: list[_RawPoints] = []
            for lane in Lane:
                found += await _points(tx, [one for one in chosen if one.lane is lane], lane, span, bucket_us)
            return bucket_us, found

        bucket_us, found = await self._db.run("queries.range", read, tenant=tenant_id)
        # Turning a million texts into numbers takes a second: not on the loop, and not on a connection.
        return RangeAnswer(await asyncio.to_thread(_numbers, found), bucket_us)

    def _refuse_too_much(self, chosen: Sequence[_Series], counts: Mapping[int, int], points: int) -> None:
        """Raise Refused before anything is read that can't be answered."""
        stored = [_stored(one, counts) for one in chosen]
        scanned = sum(stored)
        if scanned > self._max_scanned_points:
            raise Refused(
                f"{scanned} stored points of {len(chosen)} series would have to be read, more than"
                f" {self._max_scanned_points}: ask for fewer series or a shorter range"
            )
        answered = sum(min(one, points) for one in stored)
        if answered > self._max_answer_points:
            raise Refused(
                f"the answer would have {answered} points, more than {self._max_answer_points}: "
                "ask for fewer series, a shorter range or fewer points per series"
            )


_RawPoints = tuple[_Series, str, str]
"""A series with the array literals of its times and values."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_FIRST_US = (dt.datetime.min.replace(tzinfo=dt.UTC) - _EPOCH) // _MICROSECOND
_LAST_US = (dt.datetime.max.replace(tzinfo=dt.UTC) - _EPOCH) // _MICROSECOND

_Span = tuple[str, int, int]
# to_timestamp would round; the bounds are written out so that the planner sees the partitions.
_IN_SPAN = "f.device_id = %s AND f.ts_collected >= %s AND f.ts_collected < %s"


def _span_params(span: _Span) -> list[object]:
    return [span[0], *(_EPOCH + us * _MICROSECOND for us in span[1:])]


async def _device_id(tx: Transaction, tenant_id: str, device: str) -> str:
    await tx.execute(
        "SELECT device_id FROM device WHERE tenant_id = %s AND (device_id::text = %s OR name = %s)"
        " ORDER BY device_id::text = %s DESC LIMIT 1",
        (tenant_id, device, device, device),
    )
    row = tx.fetchone()
    if row is None:
        raise NotFound(f"there is no device {device!r}")
    return str(row[0])


async def _frames_by_layout(tx: Transaction, span: _Span) -> dict[int, int]:
    """Return how many frames of each layout are in the span; from the index alone."""
    await tx.execute(
        f"SELECT layout_id, count(*) FROM telemetry_frame f WHERE {_IN_SPAN} GROUP BY layout_id",  # noqa: S608 - composed of constants
        _span_params(span),
    )
    return {int(layout_id): int(count) for layout_id, count in tx.fetchall()}


async def _select(
    tx: Transaction, tenant_id: str, device_id: str, layouts: Sequence[int], patterns: Sequence[str]
) -> list[_Series]:
    await tx.execute(
        "SELECT e.layout_id, e.position, e.metric, e.instance, e.lane, coalesce(l.label, e.instance),"
        " coalesce(m.scope, ''), coalesce(m.unit, '')"
        " FROM series_layout_entry e LEFT JOIN metric m ON m.tenant_id = e.tenant_id AND m.key = e.metric"
        " LEFT JOIN instance_label l ON l.tenant_id = e.tenant_id AND l.device_id = %s"
        "  AND l.table_name = m.label_table AND l.instance = e.instance"
        " WHERE e.tenant_id = %s AND e.layout_id = ANY (%s::int8[]) ORDER BY e.layout_id, e.lane, e.position",
        (device_id, tenant_id, literals.plain(layouts)),
    )
    matches = matcher(patterns)
    found: dict[tuple[str, str, str], _Series] = {}
    for layout_id, position, metric, instance, lane, label, scope, unit in tx.fetchall():
        key = full_key(metric, scope, label)
        if not (matches(metric) or matches(key)):
            continue
        series = found.setdefault(
            (metric, instance, lane), _Series(metric, instance, Lane(lane), label, key, unit, [])
        )
        series.places.append((layout_id, position))
    if len(found) > MAX_SERIES:
        raise Refused(f"{len(found)} series match, at most {MAX_SERIES} are read at once: narrow the metrics")
    return list(found.values())


def _stored(series: _Series, counts: Mapping[int, int]) -> int:
    """Return how many points of a series are stored, at most: values may be absent."""
    return sum(counts[layout_id] for layout_id, _ in series.places)


def _bucket_us(
    chosen: Sequence[_Series], counts: Mapping[int, int], start_us: int, end_us: int, points: int
) -> int:
    """Return the width of buckets; 0 if no series has more points than asked for."""
    most = max((_stored(one, counts) for one in chosen), default=0)
    if most <= points:
        return 0
    return -(-(end_us - start_us) // points)


async def _points(
    tx: Transaction, chosen: Sequence[_Series], lane: Lane, span: _Span, bucket_us: int
) -> list[_RawPoints]:
    if not chosen:
        return []
    places = [(number, *place) for number, one in enumerate(chosen) for place in one.places]
    value = f"f.{_ARRAYS[lane]}[s.position]"
    if bucket_us:
        combined = "(array_agg(v ORDER BY us DESC))[1]" if lane is Lane.COUNTER else "avg(v)::float8"
        time = "%s + (us - %s) / %s * %s"
        params: list[object] = [span[1], span[1], bucket_us, bucket_us]
        group = "GROUP BY number, 2"
    else:
        combined, time, params, group = "v", "us", [], ""
    await tx.execute(
        f"SELECT number, array_agg(t ORDER BY t)::text, array_agg(v ORDER BY t)::text FROM ("  # noqa: S608 - composed of constants
        f" SELECT number, {time} AS t, {combined} AS v FROM ("
        f"  SELECT s.number, to_us(f.ts_collected) AS us, {value} AS v FROM telemetry_frame f"
        f"  JOIN unnest(%s::int4[], %s::int8[], %s::int2[]) AS s (number, layout_id, position)"
        f"  ON s.layout_id = f.layout_id WHERE {_IN_SPAN}"
        f" ) raw WHERE v IS NOT NULL {group}"
        ") points GROUP BY number",
        [*params, *(literals.plain(column) for column in zip(*places, strict=True)), *_span_params(span)],
    )
    return [(chosen[number], times, values) for number, times, values in tx.fetchall()]


def _numbers(found: Sequence[_RawPoints]) -> list[SeriesPoints]:
    """Return the series by key, with numbers."""
    answer = [_series_points(series, _list(times), _list(values)) for series, times, values in found]
    return sorted(answer, key=lambda one: one.key)


def _list(literal: str) -> list[Any]:
    """Return the numbers of an array literal, which but for its braces is JSON, NaN and Infinity included."""
    numbers: list[Any] = json.loads(f"[{literal[1:-1]}]")
    return numbers


def _series_points(series: _Series, times: list[int], values: list[float]) -> SeriesPoints:
    exact = series.lane is Lane.COUNTER
    return SeriesPoints(
        series.metric,
        series.instance,
        series.lane,
        series.label,
        series.key,
        series.unit,
        times,
        values=() if exact else [float(value) for value in values],
        counters=[int(value) for value in values] if exact else (),
    )
