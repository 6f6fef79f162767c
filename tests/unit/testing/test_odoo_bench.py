"""What the bench of Odoo finds wrong with its figures."""

from __future__ import annotations

from typing import Any

import pytest

from mtd.testing.odoo.bench import judge

GOOD: dict[str, Any] = {
    "requests": {"p95_ratio": 1.05},
    "messages_per_viewed_device_s": 0.995,
    "rows_per_viewed_device_s": 1.0,
    "rows_of_unviewed": 0,
    "messages_of_others": 0,
}


def test_good_figures_are_good() -> None:
    assert judge(GOOD) == []


@pytest.mark.parametrize(
    ("worse", "word"),
    [
        ({"requests": {"p95_ratio": 1.3}}, "slower"),
        ({"messages_per_viewed_device_s": 0.8}, "messages_per_viewed_device_s"),
        ({"messages_per_viewed_device_s": 2.0}, "messages_per_viewed_device_s"),
        ({"rows_per_viewed_device_s": 1.5}, "rows_per_viewed_device_s"),
        ({"rows_of_unviewed": 1}, "nobody viewed"),
        ({"messages_of_others": 1}, "doesn't view"),
    ],
)
def test_each_fault_is_named(worse: dict[str, Any], word: str) -> None:
    (problem,) = judge({**GOOD, **worse})
    assert word in problem
