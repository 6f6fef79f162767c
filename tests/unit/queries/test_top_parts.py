"""Growth in the steps of a time, of means and of polls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.queries.top_parts import Growth, Steps, mean_and_most

SECOND = 1_000_000
START = 1_790_000_040 * SECOND  # a full minute


def steps(seconds: int, step_s: int = 60, *, late_s: int = 0) -> Steps:
    return Steps(START + late_s * SECOND, START + (late_s + seconds) * SECOND, step_s)


def polls(growth: Growth, points: list[tuple[float, int]], scale: float = 1.0) -> None:
    us = np.array([START + round(at * SECOND) for at, _ in points], dtype=np.int64)
    growth.add_points(us, np.array([value for _, value in points], dtype=np.int64), scale)


def test_steps_are_aligned_and_know_how_much_of_them_is_within() -> None:
    found = steps(100, late_s=30)
    assert (found.first_us, len(found)) == (START, 3)
    assert found.seconds.tolist() == [30.0, 60.0, 10.0]


def test_the_growth_within_a_short_time_is_told() -> None:
    growth = Growth(steps(10, late_s=25))
    polls(growth, [(24, 2400), (26, 2600), (34, 3400)], 8.0)
    assert growth.mean() == pytest.approx(800.0)
    assert mean_and_most([growth], together=False) == pytest.approx((800.0, 800.0))


def test_polls_that_come_seldom_are_no_outage_and_an_outage_is_one() -> None:
    seldom = Growth(steps(1800))
    polls(seldom, [(at, at * 7) for at in range(10, 1800, 300)])
    assert seldom.mean() == pytest.approx(7.0)
    often = Growth(steps(1800))
    polls(
        often, [(at, at * 7 if at < 900 else 10**9 + at) for at in range(0, 1800, 60) if not 300 <= at < 900]
    )
    assert mean_and_most([often], together=False) == pytest.approx((42 / 18, 7.0))


def test_a_reset_and_a_hole_tell_nothing() -> None:
    growth = Growth(steps(300))
    polls(growth, [(0, 1000), (60, 1600), (120, 5), (180, 605)])
    assert growth.mean() == pytest.approx(10.0)
    assert Growth(steps(300)).mean() is None
    assert mean_and_most([Growth(steps(300))], together=False) is None


def test_polls_fill_the_steps_that_are_not_rolled_up_whichever_they_are() -> None:
    growth = Growth(steps(300))
    growth.add_means(START // SECOND + 60, np.array([1.0, np.nan, 3.0]), 1.0)
    polls(growth, [(at, at * 10) for at in range(0, 301, 60)])
    assert growth.parts().tolist() == pytest.approx([10.0, 1.0, 10.0, 3.0, 10.0])


def test_a_rollup_of_polls_that_come_seldom_weighs_what_they_tell_of() -> None:
    growth = Growth(steps(1200))
    means = np.full(10, np.nan)
    means[::5] = 1.0
    growth.add_means(START // SECOND, means, 1.0)
    polls(growth, [(600, 0), (900, 900), (1199, 900 + 3 * 299)])
    assert growth.mean() == pytest.approx(2.0, rel=0.01)


def test_steps_at_the_edges_count_as_far_as_they_are_within() -> None:
    growth = Growth(steps(60, late_s=30))
    growth.add_means(START // SECOND - 60, np.array([100.0, 2.0, 4.0, 100.0]), 1.0)
    assert growth.mean() == pytest.approx(3.0)


def test_the_largest_part_is_of_what_is_ranked() -> None:
    one, other = Growth(steps(180)), Growth(steps(180))
    one.add_means(START // SECOND, np.array([5.0, 1.0, 0.0]), 1.0)
    other.add_means(START // SECOND, np.array([0.0, 6.0, np.nan]), 1.0)
    assert mean_and_most([one, other], together=True) == pytest.approx((2.0 + 3.0, 7.0))
    assert mean_and_most([one, other], together=False) == pytest.approx((3.0, 6.0))


@given(
    st.integers(1, 90),
    st.integers(0, 300),
    st.integers(30, 3000),
    st.lists(st.integers(0, 10**12), max_size=30),
)
def test_the_mean_lies_between_the_rates(interval: int, late_s: int, seconds: int, grown: list[int]) -> None:
    growth = Growth(steps(seconds, late_s=late_s))
    points = list(zip(range(0, interval * len(grown), interval), np.cumsum(grown).tolist(), strict=True))
    polls(growth, points)
    found = mean_and_most([growth], together=False)
    if found is not None:
        rates = [value / interval for value in grown[1:]]
        least, most = min(rates), max(rates)
        assert least * (1 - 1e-9) <= found[0] <= most * (1 + 1e-9) + 1e-9
        assert found[1] <= most * (1 + 1e-9) + 1e-9
