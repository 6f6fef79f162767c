"""What the bench of the whole way makes of what it finds."""

from __future__ import annotations

from typing import Any

import pytest

from mtd.testing.flows.whole import check

GOOD: dict[str, Any] = {
    "sent_records": 10,
    "stored_records": 10,
    "losses": {"kernel_dropped_datagrams": 0, "dropped_records": 0},
    "exact": {"blocks": True, "sums": True},
}


def test_nothing_lost_is_fine() -> None:
    assert check(GOOD) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"stored_records": 9}, "9 of 10 records were stored"),
        ({"losses": {"kernel_dropped_datagrams": 3}}, "3 kernel_dropped_datagrams"),
        ({"exact": {"blocks": True, "sums": False}}, "sums isn't what was sent"),
    ],
)
def test_what_was_lost_is_told(change: dict[str, Any], problem: str) -> None:
    assert check(GOOD | change) == [problem]
