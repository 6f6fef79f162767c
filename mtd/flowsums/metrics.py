"""Metrics of summing flows up, as the daemon hears of it from its worker."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

BUCKETS = Counter(
    "mtd_flowsums_buckets_total",
    "Minutes and hours of exporters that were summed up, again where more of them came late.",
    ["kind"],
)
RECORDS = Counter("mtd_flowsums_records_total", "Flow records of the minutes that were summed up.")
LAG_SECONDS = Gauge(
    "mtd_flowsums_lag_seconds", "How long the oldest minute that isn't summed up has been due; 0: none is."
)
CPU_SECONDS = Counter("mtd_flowsums_cpu_seconds_total", "CPU time of the worker, without PostgreSQL's part.")
FAILURES = Counter(
    "mtd_flowsums_failures_total",
    "What wasn't summed up: too_much, damaged and bug are of a minute or hour, block of a block that can't be read and is in"
    " the total only, too_late of a minute or hour whose parts aren't kept any more; database, and worker, which ended.",
    ["reason"],
)
MISMATCHES = Counter(
    "mtd_flowsums_mismatched_blocks_total",
    "Blocks whose records add up to something else than was told of them; the total is of what was told.",
)
WORKER_STARTS = Counter("mtd_flowsums_worker_starts_total", "Times the worker was started.")
