"""Metrics of secrets that are kept elsewhere."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

REFERENCES = Gauge("mtd_secrets_references", "References to secrets that are kept elsewhere.")
FAILING = Gauge("mtd_secrets_references_failing", "References whose secret can't be had at the moment.")
FETCHES = Counter(
    "mtd_secrets_fetches_total", "Secrets asked for, by provider and result.", ["scheme", "result"]
)
EXPIRED = Counter(
    "mtd_secrets_expired_total", "Secrets no longer used because they could not be fetched for too long."
)
REFUSED = Counter("mtd_secrets_refused_total", "References not fetched because there were too many.")
