"""Metrics of queries."""

from __future__ import annotations

from mtd.core.metrics import Counter

REFUSED = Counter(
    "mtd_queries_refused_total", "Queries that were refused because too many of their tenant ran or waited."
)
