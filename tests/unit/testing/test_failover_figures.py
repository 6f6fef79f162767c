from __future__ import annotations

from typing import Any

import pytest

from mtd.testing.failover.command import judge

GOOD: dict[str, Any] = {
    "stored_gap_max_s": 15.0,
    "stored_gap_p95_s": 11.0,
    "polled_after_lease": 0,
    "polled_after_kill": 0,
    "held_devices": 50,
    "killed_devices": 50,
}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"stored_gap_max_s": float("inf")}, "a router was without a poll"),
        ({"stored_gap_p95_s": 11.1}, "one router in twenty"),
        ({"polled_after_lease": 1}, "past its lease"),
        ({"polled_after_kill": 1}, "killed before"),
        ({"killed_devices": 0}, "nothing was measured"),
    ],
)
def test_what_is_worse_than_it_has_to_be_is_told(bad: dict[str, Any], says: str) -> None:
    assert judge(GOOD) == []
    (problem,) = judge({**GOOD, **bad})
    assert says in problem
