"""What ingest reports of itself."""

from __future__ import annotations

from functools import cache

from mtd.core.loop_metrics import Count, LoopCounter
from mtd.core.metrics import Counter, Gauge, Histogram

RECORDED_EVENTS = LoopCounter("mtd_ingest_recorded_events_total", "Events accepted, by kind.", ["kind"])
REFUSED = Counter(
    "mtd_ingest_refused_total", "Parts of observations that were not accepted, by reason.", ["reason"]
)
DROPPED_EVENTS = Counter(
    "mtd_ingest_dropped_events_total",
    "Accepted events that were lost: the buffer was full, the log refused them, or mtd had to stop first.",
    ["urgency", "reason"],
)
DROPPED_LINES = Counter(
    "mtd_ingest_dropped_lines_total",
    "Lines of routers' logs in events that were lost, with the repeats that they stand for; see mtd_ingest_dropped_events_total.",
)
DROPPED_FLOWS = Counter(
    "mtd_ingest_dropped_flows_total",
    "Flow records in events that were lost; see mtd_ingest_dropped_events_total.",
)
MASKED_COUNTERS = Counter(
    "mtd_ingest_masked_counters_total", "Counters beyond 64 bits, which are recorded as absent."
)
UNCHANGED_DOCUMENTS = Counter(
    "mtd_ingest_unchanged_documents_total", "Documents not recorded because they had not changed."
)
BUFFERED_EVENTS = Gauge("mtd_ingest_buffered_events", "Events on their way to the log.")
BUFFERED_BYTES = Gauge("mtd_ingest_buffered_bytes", "Bytes on their way to the log.")
PRESSURE = Gauge("mtd_ingest_pressure_ratio", "How full the buffer is, 0 to 1.")
FLUSHED_EVENTS = Histogram(
    "mtd_ingest_flushed_events",
    "Events per batch appended to the log.",
    buckets=(1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000),
)
APPEND_FAILURES = Counter("mtd_ingest_append_failures_total", "Attempts to append to the log that failed.")
LOG_UNAVAILABLE_SECONDS = Counter(
    "mtd_ingest_log_unavailable_seconds_total", "Time during which the log could not be appended to."
)


@cache
def recorded(kind: str) -> Count:
    """Return the counter of a kind of event: looking a label up costs more than counting."""
    return RECORDED_EVENTS.labels(kind=kind)
