"""Batches that were taken at the first try, and those that had to come again."""

from __future__ import annotations

from mtd.app.slo.acceptance import Acceptance
from mtd.ingest import metrics as ingest
from mtd.ingest.copying import metrics as copying
from mtd.ingest.push import metrics as push
from mtd.model.slo import Count


def test_what_had_to_come_again_is_missed_and_what_was_wrong_itself_is_not_asked_of_us() -> None:
    acceptance = Acceptance()
    for size in (3, 70):
        ingest.FLUSHED_EVENTS.observe(size)
    ingest.APPEND_FAILURES.inc()
    for outcome in (
        "accepted",
        "duplicate",
        "limited",
        "unavailable",
        "failed",
        "refused",
        "unreadable",
        "too_large",
    ):
        push.BATCHES.labels(outcome=outcome).inc()
    for outcome in ("acknowledged", "unavailable", "gap", "malformed", "forbidden"):
        copying.BATCHES.labels(outcome=outcome).inc()
    assert acceptance.take() == Count(5, 10)
    assert acceptance.take() == Count(0, 0)
