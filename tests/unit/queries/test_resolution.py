"""What is read for a range, and how wide its buckets are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.queries.resolution import (
    DAY_US,
    HOUR_US,
    SECOND_US,
    STEP_S,
    Kept,
    Resolution,
    clipped,
    may_be_raw,
    plan_range,
)

NOW = 1_795_651_200 * SECOND_US
AUTO, RAW, TEN, MINUTE, FIVE = Resolution


@pytest.mark.parametrize(
    ("asked", "span_us", "points", "stored", "expected"),
    [
        (AUTO, HOUR_US, 600, 600, (RAW, 0)),
        (AUTO, HOUR_US, 600, 0, (TEN, 10)),
        (AUTO, HOUR_US, 1, 3600, (FIVE, 3600)),
        (AUTO, HOUR_US, 600, 601, (RAW, 6)),
        (AUTO, 6 * HOUR_US, 600, 21_600, (TEN, 40)),
        (AUTO, 24 * HOUR_US, 600, 86_400, (MINUTE, 180)),
        (AUTO, 24 * HOUR_US, 100_000, 86_400, (RAW, 0)),
        (AUTO, 24 * HOUR_US, 600, 96, (RAW, 0)),
        # Beyond a day never raw, whatever would fit.
        (AUTO, 24 * HOUR_US + 1, 100_000, 0, (TEN, 10)),
        (AUTO, 90 * DAY_US, 600, 0, (FIVE, 13_200)),
        (RAW, 90 * DAY_US, 100_000, 5, (RAW, 0)),
        (RAW, 90 * DAY_US, 600, 7_776_000, (RAW, 12_982)),
        (FIVE, HOUR_US, 600, 0, (FIVE, 300)),
        (TEN, 90 * DAY_US, 600, 0, (TEN, 12_990)),
    ],
)
def test_the_source_and_the_bucket(
    asked: Resolution, span_us: int, points: int, stored: int, expected: tuple[Resolution, int]
) -> None:
    plan = plan_range(asked, NOW - span_us, NOW, points, stored, NOW, Kept())
    assert (plan.resolution, plan.bucket_us // SECOND_US) == expected


def test_what_is_not_kept_any_more_comes_from_a_coarser_rollup() -> None:
    for days, expected in ((100, TEN), (200, MINUTE), (800, FIVE), (5000, FIVE)):
        start = NOW - days * DAY_US
        assert plan_range(AUTO, start, start + HOUR_US, 600, 0, NOW, Kept()).resolution is expected
    assert not may_be_raw(FIVE, 0, 1)


def test_one_point_is_one_bucket_wherever_the_range_begins() -> None:
    for start in (-1, -HOUR_US, 5 * HOUR_US - 1, NOW - 1):
        plan = plan_range(FIVE, start, start + HOUR_US, 1, 0, NOW, Kept())
        assert (plan.buckets, plan.start_us % (300 * SECOND_US)) == (1, 0)
        assert HOUR_US <= plan.bucket_us <= HOUR_US + 300 * SECOND_US


def test_where_raw_values_are_gone_of_a_part_rollups_answer() -> None:
    today = NOW // DAY_US * DAY_US
    edge = today - 89 * DAY_US  # ninety days, today included
    assert plan_range(AUTO, edge, edge + DAY_US, 600, 288, NOW, Kept()).resolution is RAW
    assert plan_range(AUTO, edge - 1, edge + DAY_US - 1, 600, 288, NOW, Kept()).resolution is MINUTE
    assert plan_range(RAW, edge - 1, edge + DAY_US - 1, 600, 288, NOW, Kept()).resolution is RAW


@given(
    st.sampled_from(list(Resolution)),
    st.integers(-50_000 * DAY_US, NOW),
    st.integers(1, 400 * DAY_US) | st.integers(1, 60_000 * DAY_US),
    st.integers(1, 2000),
    st.integers(0, 10**7),
)
def test_buckets_are_whole_and_never_more_than_asked(
    asked: Resolution, start: int, span: int, points: int, stored: int
) -> None:
    plan = plan_range(asked, start, start + span, points, stored, NOW, Kept())
    if not plan.bucket_us:
        assert stored <= points
        assert (plan.start_us, plan.end_us) == (start, start + span)
        return
    step = STEP_S.get(plan.resolution, 1) * SECOND_US
    assert plan.bucket_us % step == plan.start_us % step == 0
    assert plan.bucket_us < span + 2 * step
    assert plan.start_us <= start < plan.start_us + plan.bucket_us
    assert plan.end_us - plan.bucket_us < start + span <= plan.end_us
    assert points == 1 or plan.start_us % plan.bucket_us == plan.end_us % plan.bucket_us == 0
    assert 1 <= plan.buckets <= points
    part = clipped(plan, NOW, Kept())
    assert (part.start_us - plan.start_us) % part.bucket_us == 0
    assert (part.end_us - part.start_us) % part.bucket_us == 0
    assert plan.start_us <= part.start_us <= part.end_us <= plan.end_us
