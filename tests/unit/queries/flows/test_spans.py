"""Each minute of a range is read from one place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.core.errors import Refused
from mtd.queries.flows.spans import LONG_US, Kept, spans_of
from mtd.storage.config import RetentionConfig
from mtd.storage.partitioned import DAY_US, HOUR_US

MINUTE_US = 60_000_000
NOW_US = 20_000 * DAY_US + 12 * HOUR_US
KEPT = Kept.of(RetentionConfig(flows_days=3, flow_sums_1m_days=14), NOW_US)

times = st.integers(NOW_US - 30 * DAY_US, NOW_US)


def test_days_count_with_today() -> None:
    assert (NOW_US // DAY_US * DAY_US - KEPT.records_us) // DAY_US == 2
    assert (NOW_US // DAY_US * DAY_US - KEPT.minutes_us) // DAY_US == 13


@given(times, st.integers(1, 20 * DAY_US))
def test_hours_and_edges_are_the_range(start_us: int, length_us: int) -> None:
    spans = spans_of(start_us, start_us + length_us, KEPT)
    assert spans.start_us <= start_us
    assert spans.end_us >= start_us + length_us
    parts = [*spans.edges, *([(spans.hours_start_us, spans.hours_end_us)] if spans.by_hours else [])]
    parts.sort()
    assert parts[0][0] == spans.start_us
    assert parts[-1][1] == spans.end_us
    assert all(one[1] == other[0] for one, other in zip(parts, parts[1:], strict=False))
    assert all(us % MINUTE_US == 0 for part in parts for us in part)
    # What is gone of the minutes is read by the hour, whole.
    for start, end in spans.edges:
        assert end > KEPT.minutes_us
        assert start >= KEPT.minutes_us
    if spans.by_hours:
        assert spans.hours_start_us % HOUR_US == spans.hours_end_us % HOUR_US == 0
        assert spans.end_us - spans.start_us > LONG_US or spans.start_us < KEPT.minutes_us
    widened = 2 * HOUR_US if start_us < KEPT.minutes_us else 2 * MINUTE_US
    assert spans.end_us - spans.start_us < length_us + widened


@given(times, st.integers(1, 5 * DAY_US), st.sampled_from((60, 300, 3600, 5400, 7200, 86_400)))
def test_steps_are_whole_and_told_apart(start_us: int, length_us: int, step_s: int) -> None:
    step_us = step_s * 1_000_000
    try:
        spans = spans_of(start_us, start_us + length_us, KEPT, step_us)
    except Refused:
        assert step_us % HOUR_US
        assert start_us // step_us * step_us < KEPT.minutes_us
        return
    assert spans.start_us == start_us // step_us * step_us
    assert spans.end_us == -(-(start_us + length_us) // step_us) * step_us
    assert not spans.by_hours or step_us % HOUR_US == 0


def test_short_ranges_are_read_by_the_minute() -> None:
    start_us = NOW_US - LONG_US
    assert not spans_of(start_us, NOW_US, KEPT).by_hours
    longer = spans_of(start_us - 1, NOW_US, KEPT)
    assert (longer.hours_start_us, longer.hours_end_us) == (start_us, NOW_US)
    assert longer.edges == [(start_us - MINUTE_US, start_us)]
    assert spans_of(start_us - 1, NOW_US, KEPT, HOUR_US).by_hours
    assert not spans_of(start_us - 1, NOW_US, KEPT, MINUTE_US).by_hours


def test_steps_within_hours_need_the_minutes() -> None:
    with pytest.raises(Refused, match="whole hours"):
        spans_of(NOW_US - 20 * DAY_US, NOW_US, KEPT, 300_000_000)
