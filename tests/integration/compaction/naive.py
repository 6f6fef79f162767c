"""Rollups as one would compute them by hand from all points at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mtd.codec.rollups import decode
from mtd.compaction.encoding import STEPS_S
from mtd.storage.cold.connection import ColdConnection
from mtd.storage.cold.rollups import read_rollups
from tests.integration.compaction.kit import ask, cold

Point = tuple[int, float | int]


@dataclass
class Bucket:
    """One bucket; what there is none of is NaN, or 0 for integers."""

    count: int
    minimum: float = math.nan
    maximum: float = math.nan
    mean: float = math.nan
    p95: float = math.nan
    increase: int = 0
    last: int = 0


def of_gauge(points: list[Point], step_s: int) -> dict[int, Bucket]:
    """Return the buckets of a gauge by their start in seconds."""
    found: dict[int, list[float]] = {}
    for ms, value in points:
        found.setdefault(ms // 1000 // step_s * step_s, []).append(value)
    return {start: _bucket(values, values) for start, values in found.items()}


def of_counter(points: list[Point], step_s: int, interval_ms: Mapping[int, int]) -> dict[int, Bucket]:
    """Return the buckets of a counter by their start in seconds; the interval is told for each hour since the epoch."""
    found: dict[int, list[tuple[int, int, float | None, int, int]]] = {}
    for n, (ms, value) in enumerate(points):
        assert isinstance(value, int)
        increase, rate, risen, elapsed = 0, None, 0, 0
        # What grew over more than a day of silence belongs to no bucket.
        reach = [
            point for point in points[max(n - 2, 0) : n] if ms // 3_600_000 - point[0] // 3_600_000 <= 24
        ]
        before = reach[-1] if reach else None
        if len(reach) == 2 and reach[1][1] < reach[0][1]:
            if value >= reach[0][1]:
                before = reach[0]  # the one between had only dipped
            else:
                increase = int(reach[1][1])  # it was a reset
        if before is not None and value >= before[1]:
            increase += value - int(before[1])
            if 0 < ms - before[0] <= 3 * interval_ms[ms // 3_600_000]:
                risen, elapsed = value - int(before[1]), ms - before[0]
                rate = risen * 1000 / elapsed
        found.setdefault(ms // 1000 // step_s * step_s, []).append((value, increase, rate, risen, elapsed))
    buckets = {}
    for start, rows in found.items():
        rates = [rate for _, _, rate, _, _ in rows if rate is not None]
        bucket = _bucket(rows, rates)
        elapsed = sum(row[4] for row in rows)
        bucket.mean = sum(row[3] for row in rows) * 1000 / elapsed if elapsed else math.nan
        # Of 64 bits, as the counter itself.
        bucket.increase = (sum(row[1] for row in rows) + (1 << 63)) % (1 << 64) - (1 << 63)
        bucket.last = rows[-1][0]
        buckets[start] = bucket
    return buckets


def _bucket(points: list, values: list[float]) -> Bucket:  # type: ignore[type-arg]
    if not values:
        return Bucket(len(points))
    ordered = sorted(values)
    rank = max(1, -(-19 * len(ordered) // 20))
    return Bucket(len(points), ordered[0], ordered[-1], math.fsum(values) / len(values), ordered[rank - 1])


def check_rollups(dsn: str, interval_ms: int = 1000) -> int:
    """Compare all stored rollups with those of all stored points; return how many buckets there are.

    Polls came in about that interval. What it usually was in an hour is what its axis says.
    """
    compared = 0
    intervals: dict[str, dict[int, int]] = {}
    for device, hour, step_ms, count in ask(
        dsn, "SELECT device_id::text, to_us(hour) / 3600000000, step_ms, polls FROM telemetry_axis"
    ):
        intervals.setdefault(device, {})[hour] = step_ms
        assert count < 4 or step_ms <= 1.01 * interval_ms
    numbers = {
        (device, metric, instance, lane): number
        for number, device, metric, instance, lane in ask(
            dsn, "SELECT series_id, device_id::text, metric, instance, lane FROM series"
        )
    }
    with ColdConnection(dsn) as connection:
        for name, points in cold(dsn).items():
            for step in STEPS_S:
                counter = name[3] == "counter"
                wanted = of_counter(points, step, intervals[name[0]]) if counter else of_gauge(points, step)
                seen = set()
                for row in read_rollups(connection, step, [numbers[name]], 0, 1 << 52):
                    buckets = decode(row.packed)
                    assert len(buckets) == row.buckets
                    assert buckets.start_s * 1_000_000 == row.start_us
                    for n in np.flatnonzero(buckets.count):
                        start = buckets.start_s + int(n) * step
                        assert start not in seen, f"{name} {step} s: {start} is there twice"
                        seen.add(start)
                        same(wanted[start], buckets, int(n), (name, step, start))
                assert seen == set(wanted), (name, step)
                compared += len(seen)
    return compared


def same(wanted: Bucket, buckets, n: int, where: object) -> None:  # type: ignore[no-untyped-def]
    assert buckets.count[n] == wanted.count, where
    for column in ("minimum", "maximum", "mean", "p95"):
        found, value = getattr(buckets, column)[n], getattr(wanted, column)
        close = (
            math.isnan(found) and math.isnan(value) or math.isclose(found, value, rel_tol=2e-7, abs_tol=1e-12)
        )
        assert close, (where, column, found, value)
    if buckets.increase is not None:
        assert (int(buckets.increase[n]), int(buckets.last[n])) == (wanted.increase, wanted.last), where
