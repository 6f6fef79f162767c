"""Times as they are told."""

from __future__ import annotations

import pytest

from mtd.plugin.reboot import lasted


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (4.4, "4 s"),
        (65, "1 min 5 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (18_688_158, "216 d 7 h"),
        (86_400 * 3, "3 d"),
    ],
)
def test_a_time_has_its_two_largest_units(seconds: float, told: str) -> None:
    assert lasted(seconds) == told
