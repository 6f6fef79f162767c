"""Metrics of the REST source."""

from __future__ import annotations

from mtd.core.loop_metrics import LoopCounter
from mtd.core.metrics import Counter, Gauge

SESSIONS = Gauge("mtd_rest_sessions", "Routers that are asked over REST.")
CONNECTS = Counter("mtd_rest_connects_total", "Attempts to open a session over REST.")
FAILURES = Counter(
    "mtd_rest_failures_total", "REST sessions that failed or were lost, by outcome.", ["outcome"]
)
REQUESTS = LoopCounter("mtd_rest_requests_total", "Requests sent to routers.")
TRAPS = Counter("mtd_rest_traps_total", "Requests that routers refused.")
CANCELLED = Counter("mtd_rest_cancelled_total", "Requests that we gave up, by cause.", ["cause"])
NOT_SERVED = Counter("mtd_rest_not_served_total", "Commands that REST has no words for.")
REOPENED = Counter(
    "mtd_rest_reopened_total", "Requests sent again because the router had closed the idle connection."
)
SENT_BYTES = LoopCounter("mtd_rest_sent_bytes_total", "Bytes sent to routers, before TLS.")
RECEIVED_BYTES = LoopCounter("mtd_rest_received_bytes_total", "Bytes received from routers, after TLS.")
ROWS = LoopCounter("mtd_rest_rows_total", "Rows received over REST.")
