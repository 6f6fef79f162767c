"""Metrics of the audit log."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge, Histogram

ENTRIES = Counter("mtd_audit_entries_total", "Entries that were taken, by outcome.", ["outcome"])
STORED = Counter("mtd_audit_stored_total", "Entries that PostgreSQL has taken.")
SPOOLED = Counter("mtd_audit_spooled_total", "Entries that were kept in files while PostgreSQL was away.")
COALESCED = Counter(
    "mtd_audit_coalesced_total", "Refusals that were counted in the entry of others that are alike."
)
LOST = Counter(
    "mtd_audit_lost_total",
    "Entries that could not be written, neither to PostgreSQL nor to a file; they stand in the log of the process.",
)
TORN = Counter(
    "mtd_audit_torn_total", "Lines of spool files that are no entries: cut off when the machine went down."
)
WAITING = Gauge("mtd_audit_waiting", "Entries that wait to be written.")
BEHIND = Gauge("mtd_audit_spool_bytes", "Bytes of files with entries that PostgreSQL doesn't have yet.")
WRITE_SECONDS = Histogram(
    "mtd_audit_write_seconds",
    "Time until a group of entries was durable.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
)
ANCHORS = Counter("mtd_audit_anchors_total", "Notes of the end of the audit log, by how it went.", ["result"])
PRUNED = Counter("mtd_audit_pruned_total", "Entries that were removed because their time was over.")
