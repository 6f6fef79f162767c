"""Which releases may work together."""

from __future__ import annotations

import pytest

from mtd.core.versions import skew_problem


@pytest.mark.parametrize(
    ("own", "other", "fits"),
    [
        ("0.1.0", "0.9.3", True),
        ("1.4.2", "2.0.0", True),
        ("2.0.0rc1", "1.0", True),
        ("3", "2.7", True),
        ("1.4.2", "3.0.0", False),
        ("0.1.0", "2.0.0", False),
        ("12.0", "1.0", False),
        ("1.0.0", "", True),  # an older mtd doesn't say
        ("1.0.0", "unknown", True),
    ],
)
def test_one_major_version_apart_is_near_enough(own: str, other: str, fits: bool) -> None:
    assert (skew_problem(own, other) == "") is fits
    assert (skew_problem(other, own) == "") is fits


def test_the_refusal_says_who_is_to_be_upgraded() -> None:
    assert "upgrade this side" in skew_problem("1.0.0", "3.0.0")
    assert "upgrade the other side" in skew_problem("3.0.0", "1.0.0")
