"""Ages of values when they become the newest: each once."""

from __future__ import annotations

from mtd.projections import metrics
from mtd.projections.ages import Ages

SECOND = 1_000_000
PLACE = ("tenant", "device", "test_ages")


def measured() -> tuple[float, float]:
    """Return how many ages there were, and their sum."""
    found = {
        sample.name: sample.value
        for family in metrics.LATEST_AGE_SECONDS.collect()
        for sample in family.samples
        if sample.labels.get("poll_group") == PLACE[2]
    }
    name = "mtd_projections_latest_age_seconds"
    return found.get(f"{name}_count", 0), found.get(f"{name}_sum", 0)


def test_late_and_repeated_values_are_not_the_newest_and_a_clock_that_was_ahead_gives_way() -> None:
    ages = Ages()
    count, total = measured()

    def written(collected_s: int, now_s: int) -> tuple[float, float]:
        ages.written([(PLACE, collected_s * SECOND)], now_s * SECOND)
        now_count, now_total = measured()
        return now_count - count, now_total - total

    assert written(100, 102) == (1, 2)
    assert written(100, 103) == (1, 2)  # again
    assert written(90, 103) == (1, 2)  # late
    assert written(103, 104) == (2, 3)
    assert written(3700, 105) == (3, 3)  # by a clock that is an hour ahead: a sum of ages never goes down
    assert written(106, 107) == (4, 4)
