"""Buckets put together and made wider, against their values."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.rollups import Buckets, counter_buckets, gauge_buckets
from mtd.queries.history.grids import Grid

POINTS = st.lists(
    st.tuples(st.integers(0, 599_999), st.integers(0, 1000)), max_size=200, unique_by=lambda point: point[0]
)


def rank(parts: list[tuple[float, int]]) -> float:
    """Return the weighted nearest rank, slowly."""
    spread = sorted(value for value, count in parts for _ in range(count))
    return spread[math.ceil(len(spread) * 95 / 100) - 1]


def filled(part: Buckets, *, counter: bool) -> Grid:
    grid = Grid(part.start_s, part.step_s, len(part.count), counter=counter)
    grid.put(part)
    return grid


@given(POINTS)
def test_wider_gauges(points: list[tuple[int, int]]) -> None:
    points.sort()
    ms = np.array([at for at, _ in points], dtype=np.int64)
    values = np.array([value / 10 for _, value in points], dtype=np.float64)
    part = gauge_buckets(ms, values, 10, 0, 60)
    wide = filled(part, counter=False).widened(60)
    whole = gauge_buckets(ms, values, 60, 0, 10)
    assert wide.count.tolist() == whole.count.tolist()
    np.testing.assert_array_equal(wide.minimum, whole.minimum)
    np.testing.assert_array_equal(wide.maximum, whole.maximum)
    np.testing.assert_allclose(wide.mean, whole.mean)
    for place in range(10):
        parts = [
            (float(part.p95[n]), int(part.count[n])) for n in range(6 * place, 6 * place + 6) if part.count[n]
        ]
        assert wide.p95[place] == rank(parts) if parts else math.isnan(wide.p95[place])


@given(POINTS)
def test_wider_counters(points: list[tuple[int, int]]) -> None:
    points.sort()
    ms = np.array([at for at, _ in points], dtype=np.int64)
    values = np.array([value for _, value in points], dtype=np.int64)
    given_ = {"before": (), "max_gap_ms": 30_000}
    wide = filled(counter_buckets(ms, values, 10, 0, 60, **given_), counter=True).widened(60)
    whole = counter_buckets(ms, values, 60, 0, 10, **given_)
    for name in ("count", "increase", "last", "minimum", "maximum"):
        np.testing.assert_array_equal(getattr(wide, name), getattr(whole, name), name)


@given(POINTS, st.integers(0, 600_000))
def test_a_series_that_moved_within_a_bucket(points: list[tuple[int, int]], at: int) -> None:
    points.sort()
    ms = np.array([moment for moment, _ in points], dtype=np.int64)
    values = np.array([float(value) for _, value in points], dtype=np.float64)
    grid = Grid(0, 10, 60, counter=False)
    for chosen in (ms < at, ms >= at):
        grid.put(gauge_buckets(ms[chosen], values[chosen], 10, 0, 60))
    whole = gauge_buckets(ms, values, 10, 0, 60)
    assert grid.count.tolist() == whole.count.tolist()
    np.testing.assert_array_equal(grid.minimum, whole.minimum)
    np.testing.assert_array_equal(grid.maximum, whole.maximum)
    np.testing.assert_allclose(grid.mean, whole.mean)


def test_parts_beside_the_grid_do_not_count_and_what_is_cleared_is_gone() -> None:
    ms = np.arange(0, 600_000, 1000)
    part = gauge_buckets(ms, ms / 1000.0, 10, 0, 60)
    grid = Grid(300, 10, 60, counter=False)
    grid.put(part)
    assert grid.count.tolist() == [10] * 30 + [0] * 30
    assert grid.minimum[0] == 300.0
    grid.clear(0, 350)
    assert grid.count.tolist() == [0] * 5 + [10] * 25 + [0] * 30
    assert math.isnan(grid.mean[4])
    empty = Grid(0, 10, 0, counter=True)
    empty.put(part)
    assert len(empty.widened(60)) == 0
