"""How many batches were taken at the first try, by what is counted of them anyway."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
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

    def __init__(self, read: Callable[[], Mapping[str, float]] | None = None) -> None:
        self._read = read or _counters
        self._before = self._read()

    def take(self) -> Count:
        """Return how many batches were taken since, and how many tries there were."""
        now = self._read()
        good, bad = (max(0.0, now[key] - self._before[key]) for key in ("good", "bad"))
        self._before = now
        return Count(good, good + bad)


def _counters() -> Mapping[str, float]:
    good = (
        _all(ingest.FLUSHED_EVENTS, "_count")
        + _sum(push.BATCHES, _PUSH_GOOD)
        + _sum(copying.BATCHES, _COPY_GOOD)
    )
    bad = (
        _all(ingest.APPEND_FAILURES, "_total")
        + _sum(push.BATCHES, _PUSH_BAD)
        + _sum(copying.BATCHES, _COPY_BAD)
    )
    return {"good": good, "bad": bad}


def _all(metric: Any, ending: str) -> float:
    return math.fsum(
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith(ending)
    )


def _sum(metric: Any, outcomes: Collection[str]) -> float:
    return math.fsum(
        sample.value
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["outcome"] in outcomes
    )
