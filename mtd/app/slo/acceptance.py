"""How many batches were taken at the first try, by what is counted of them anyway."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from mtd.ingest import metrics as ingest
from mtd.ingest.copying import metrics as copying
from mtd.ingest.push import metrics as push
from mtd.model.slo import Count

# What is refused for its own faults isn't asked of us.
_PUSH_GOOD, _PUSH_BAD = ("accepted", "duplicate"), ("limited", "unavailable", "failed")
_COPY_GOOD, _COPY_BAD = ("acknowledged",), ("unavailable",)


class Acceptance:
    """Counts since the last time that it was asked."""

    def __init__(self) -> None:
        self._before = _so_far()

    def take(self) -> Count:
        """Return how many batches were taken since, and how many tries there were."""
        now, before = _so_far(), self._before
        self._before = now
        return Count(now.good - before.good, now.total - before.total)


def _so_far() -> Count:
    good = (
        _sum(ingest.FLUSHED_EVENTS, "_count")
        + _sum(push.BATCHES, "_total", _PUSH_GOOD)
        + _sum(copying.BATCHES, "_total", _COPY_GOOD)
    )
    bad = (
        _sum(ingest.APPEND_FAILURES, "_total")
        + _sum(push.BATCHES, "_total", _PUSH_BAD)
        + _sum(copying.BATCHES, "_total", _COPY_BAD)
    )
    return Count(good, good + bad)


def _sum(metric: Any, ending: str, outcomes: Collection[str] = ()) -> float:
    return math.fsum(
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith(ending) and (not outcomes or sample.labels["outcome"] in outcomes)
    )
