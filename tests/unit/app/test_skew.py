"""Clocks that are off, and answers that were long under way."""

from __future__ import annotations

import pytest

from mtd.app.slo.skew import ahead_of

SECOND = 1_000_000


@pytest.mark.parametrize(
    ("told", "ahead_s"),
    [(10, 0.0), (13, 0.0), (15, 0.0), (18, 3.0), (4, -6.0)],
)
def test_an_answer_that_was_long_under_way_makes_no_clock_wrong(told: int, ahead_s: float) -> None:
    assert ahead_of(told * SECOND, 10 * SECOND, 15 * SECOND) == ahead_s
