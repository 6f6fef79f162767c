from __future__ import annotations

import math
from typing import Any

from mtd.testing.outage.command import judge
from mtd.testing.outage.run import _skipped

POLLS = "mtd_scheduler_polls_skipped_total"
GOOD: dict[str, Any] = {
    "history": {"polls_missing": 3, "doubled": 0},
    "polls_skipped": {"t0": {"overrun": 3}, "t2": {"pressure": 40}},
    "events_dropped": 0,
    "fresh_after_s": 2.1,
    "drain_factor": 33.0,
}


def test_skipped_polls_by_tier_and_reason() -> None:
    before = {f'{POLLS}{{reason="overrun",tier="t0"}}': 5.0, "mtd_pressure_full_seconds": math.inf}
    after = {
        f'{POLLS}{{reason="overrun",tier="t0"}}': 7.0,
        f'{POLLS}{{reason="pressure",tier="t3"}}': 2.0,
        f'{POLLS}{{reason="pressure",tier="t2"}}': 0.0,
        "mtd_pressure_full_seconds": math.inf,
    }
    assert _skipped(before, after) == {"t0": {"overrun": 2}, "t3": {"pressure": 2}}


def test_a_poll_that_was_told_of_is_no_loss_and_one_that_was_not_is() -> None:
    assert judge(GOOD) == []
    assert "1 live polls are missing" in judge({**GOOD, "history": {"polls_missing": 4, "doubled": 0}})[0]
    assert "twice" in judge({**GOOD, "history": {"polls_missing": 0, "doubled": 1}})[0]
    assert "dropped" in judge({**GOOD, "events_dropped": 1})[0]
    assert "fresh after 31" in judge({**GOOD, "fresh_after_s": 31.0})[0]
    assert "19.9 times" in judge({**GOOD, "drain_factor": 19.9})[0]
