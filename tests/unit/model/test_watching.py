from __future__ import annotations

import pytest

from mtd.model.watching import started, watched_until_us


def test_the_last_moment_of_watching_survives_the_way_through_the_log() -> None:
    told = started("here", 1_700_000_000_123_456, 1_700_003_600_123_456)
    assert watched_until_us(told.old) == 1_700_000_000_123_456
    assert told.message == "mtd watches again, it did not for 1:00:00"


@pytest.mark.parametrize("text", ["", "full", "2026-01-01T00:00:00"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert watched_until_us(text) is None
