"""What the event log reports of itself. One log per process."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge, Histogram

APPENDED_EVENTS = Counter("mtd_eventlog_appended_events_total", "Events made durable.")
APPENDED_BATCHES = Counter("mtd_eventlog_appended_batches_total", "Batches made durable.")
APPENDED_BYTES = Counter("mtd_eventlog_appended_bytes_total", "Bytes of batches made durable.")
DUPLICATE_BATCHES = Counter(
    "mtd_eventlog_duplicate_batches_total", "Batches not stored because their batch id was stored before."
)
FAILED_BATCHES = Counter(
    "mtd_eventlog_failed_batches_total",
    "Batches that were not stored and not acknowledged: disk_full, quota, io_error, busy; of a stream also away, leader,"
    " not_let_in, not_durable, order, stream_gone, fenced, refused.",
    ["reason"],
)
COMMIT_SECONDS = Histogram(
    "mtd_eventlog_commit_seconds",
    "Time to write a group of batches and have it on the disk.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
APPEND_SECONDS = Histogram(
    "mtd_eventlog_append_seconds",
    "Time from append() to durable, waiting for the group included.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10),
)
WAITING_BATCHES = Gauge("mtd_eventlog_waiting_batches", "Batches that wait for a commit.")
LAST_SEQ = Gauge("mtd_eventlog_last_seq", "Position of the newest durable event.")
FIRST_SEQ = Gauge("mtd_eventlog_first_seq", "Position of the oldest retained event.")
STORED_BYTES = Gauge("mtd_eventlog_stored_bytes", "Bytes of retained batches, as the quota counts them.")
DISK_FREE_BYTES = Gauge("mtd_eventlog_disk_free_bytes", "Free space on the disk that holds the log.")
AVAILABLE = Gauge("mtd_eventlog_available", "1 if the last attempt to append succeeded, 0 if it did not.")
DURABLE = Gauge(
    "mtd_eventlog_durable",
    "1 if all servers that keep the stream write before they confirm, 0 if not, or if they don't tell.",
)
TRIMMED_EVENTS = Counter("mtd_eventlog_trimmed_events_total", "Events forgotten by retention or on request.")
CONSUMER_POSITION = Gauge(
    "mtd_eventlog_consumer_position", "Position up to which a consumer is done.", ["consumer"]
)
READ_EVENTS = Counter(
    "mtd_eventlog_read_events_total", "Events given to readers, from memory or from the disk.", ["source"]
)
READ_GAPS = Counter(
    "mtd_eventlog_read_gaps_total", "Times that a reader came to events that were trimmed already."
)
DAMAGED_BATCHES = Counter(
    "mtd_eventlog_damaged_batches_total", "Batches that failed their checksum when read."
)
MAINTENANCE_FAILURES = Counter(
    "mtd_eventlog_maintenance_failures_total", "Times that retention or a checkpoint failed."
)
DAMAGED_EVENTS = Counter(
    "mtd_eventlog_damaged_events_total",
    "Positions of the log that were set aside because their events can't be read any more.",
)
SALVAGES = Counter(
    "mtd_eventlog_salvages_total",
    "Times that the log's file was so damaged that what was readable went into a new one.",
)
MENDED_FILES = Counter(
    "mtd_eventlog_mended_files_total",
    "Times that damage of the write-ahead file was mended before it was read.",
)
