"""What is counted of what others send."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge, Histogram

ROWS = Counter(
    "mtd_ingest_push_rows_total",
    "Rows of batches: accepted, duplicate, or the reason for which they were refused.",
    ["kind", "outcome"],
)
VALUES = Counter("mtd_ingest_push_values_total", "Values of samples that are durable in the log.")
BATCHES = Counter(
    "mtd_ingest_push_batches_total",
    "Batches: accepted, duplicate, refused (no row was good), unreadable, too_large, limited, unavailable, failed.",
    ["outcome"],
)
LIMITED = Counter(
    "mtd_ingest_push_limited_total",
    "Batches and heartbeats that have to come again: the rate or the places of the caller or its tenant are used up, "
    "or memory (memory), or the log is behind (pressure), or it sends ever new sets of keys (layouts).",
    ["limit"],
)
HELD_BYTES = Gauge("mtd_ingest_push_held_bytes", "Memory of batches that are received or worked on.")
BATCH_SECONDS = Histogram(
    "mtd_ingest_push_batch_seconds",
    "From a batch's reading until it is durable.",
    buckets=(0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 20),
)
HEARTBEATS = Counter("mtd_ingest_push_heartbeats_total", "Heartbeats of programs that send.")
SIGNATURES = Counter(
    "mtd_ingest_push_signatures_total",
    "Signed requests: good, or why not: malformed, unknown_key, wrong, stale (its time), replayed, full, starting.",
    ["outcome"],
)
NONCES_UNSHARED = Counter(
    "mtd_ingest_push_nonces_unshared_total",
    "Signed requests that were taken while PostgreSQL didn't answer: other hubs don't know that they were used.",
)
KEYS = Gauge("mtd_ingest_push_keys", "Keys that signatures are held against.")
PARSER_STARTS = Counter(
    "mtd_ingest_push_parser_starts_total", "Starts of the process that reads large batches."
)
