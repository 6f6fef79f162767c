"""Metrics of traces."""

from mtd.core.metrics import Counter

SPANS = Counter(
    "mtd_tracing_spans_total",
    "Spans of traces that ended: taken by the collector of traces (exported); or lost, since it took none within the time"
    " (failed), the queue was full (dropped), or too many traces met in one batch of events (crowded).",
    ["outcome"],
)
TRACES = Counter(
    "mtd_tracing_traces_total",
    "Traces that were begun here (own), or continued for a caller; or not continued, since callers asked for too many.",
    ["origin"],
)
