"""Metrics of the ways to devices."""

from __future__ import annotations

from mtd.core.metrics import Counter

SERVES = Counter("mtd_way_opened_total", "Times that a way to a device began to serve, by way.", ["way"])
INTERNAL_ERRORS = Counter(
    "mtd_way_internal_errors_total", "Attempts to open a way that an error of mtd ended, by way.", ["way"]
)
RETRIES = Counter(
    "mtd_way_retries_total", "Attempts to open a better way while another served, by way.", ["way"]
)
