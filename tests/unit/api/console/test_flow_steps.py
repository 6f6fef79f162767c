from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.api.console.flow_steps import LATE_US, span_of
from mtd.api.console_limits import MAX_FLOW_S

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
NOW = 1_790_000_000 * SECOND + 123_456


@pytest.mark.parametrize(
    ("seconds", "step_s"),
    [(60, 60), (3600, 60), (21_600, 60), (86_400, 300), (604_800, 3600), (2_592_000, 10_800), (MAX_FLOW_S, 86_400)],
)  # fmt: skip
def test_longer_times_have_longer_steps(seconds: int, step_s: int) -> None:
    assert span_of(seconds, None, NOW, 0).step_s == step_s


def test_a_minute_is_shown_when_its_last_records_had_time_to_come() -> None:
    minute = NOW // MINUTE * MINUTE
    assert span_of(3600, None, minute + LATE_US - 1, 0).end_us == minute - MINUTE
    span = span_of(3600, None, minute + LATE_US, 0)
    assert (span.start_us, span.end_us) == (minute - HOUR, minute)


def test_who_says_until_when_sees_the_step_that_holds_it() -> None:
    asked = NOW // MINUTE * MINUTE + 1
    span = span_of(3600, asked, NOW, 0)
    assert span.end_us == asked - 1 + MINUTE
    assert span.start_us == asked - 1 - HOUR


def test_of_what_is_kept_by_the_hour_only_hours_are_asked_for() -> None:
    old = NOW - 30 * DAY
    span = span_of(3600, old, NOW, NOW - 14 * DAY)
    assert span.step_s == 3600
    assert span.start_us % HOUR == span.end_us % HOUR == 0
    assert span.start_us <= old - HOUR < old <= span.end_us
    assert span_of(3600, old, NOW, old - 2 * HOUR).step_s == 60


@given(
    seconds=st.integers(60, MAX_FLOW_S),
    end_us=st.none() | st.integers(1, 4_000_000_000 * SECOND),
    kept_us=st.integers(0, 2_000_000_000 * SECOND),
)
def test_steps_are_whole_few_and_hold_what_is_asked_for(
    seconds: int, end_us: int | None, kept_us: int
) -> None:
    span = span_of(seconds, end_us, NOW, kept_us)
    step_us = span.step_s * SECOND
    assert span.start_us % step_us == span.end_us % step_us == 0
    assert 1 <= (span.end_us - span.start_us) // step_us <= 402
    if end_us is None:
        assert NOW - LATE_US - step_us < span.end_us <= NOW - LATE_US
    else:
        assert span.start_us <= max(0, end_us - seconds * SECOND) < end_us <= span.end_us
    assert span.start_us >= kept_us or span.step_s % 3600 == 0 or span.start_us + step_us > kept_us
