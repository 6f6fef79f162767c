"""Metrics of the projections."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge, Histogram

LAG_EVENTS = Gauge(
    "mtd_projections_lag_events", "Events of the log that are not projected yet.", ["projection"]
)
LAG_SECONDS = Gauge(
    "mtd_projections_lag_seconds",
    "Age of the newest projected event while others wait behind it.",
    ["projection"],
)
EVENTS_PROJECTED = Counter("mtd_projections_events_total", "Events projected.", ["lane"])
EVENTS_ELSEWHERE = Counter(
    "mtd_projections_events_elsewhere_total",
    "Events of collectors' logs that weren't projected, because another hub's log had brought them.",
)
BATCH_EVENTS = Histogram(
    "mtd_projections_batch_events",
    "Events per transaction.",
    buckets=(1, 4, 16, 64, 128, 256, 512, 1024, 4096),
)
BUILD_SECONDS = Counter("mtd_projections_build_seconds_total", "CPU time spent on building rows.")
EVENTS_DROPPED = Counter(
    "mtd_projections_events_dropped_total",
    "Events that a projection left out, by reason.",
    ["projection", "reason"],
)
LINES_FOLDED = Counter(
    "mtd_projections_lines_folded_total",
    "Log lines that are no event of their own, because an earlier one within the window told the same; they are stored as lines.",
)
DEAD_LETTERS = Counter(
    "mtd_projections_dead_letters_total", "Events that can't be projected.", ["projection"]
)
BISECTIONS = Counter(
    "mtd_projections_bisections_total", "Batches cut in two to find an event that can't be projected."
)
RETRIES = Counter(
    "mtd_projections_retries_total", "Transactions of projections that were tried again.", ["cause"]
)
QUEUE_BATCHES = Gauge("mtd_projections_queue_batches", "Batches read ahead from the log.", ["lane"])
PUBLISH_FAILURES = Counter("mtd_projections_publish_failures_total", "Calls of on_committed that raised.")
LATEST_AGE_SECONDS = Histogram(
    "mtd_projections_latest_age_seconds",
    "Age of values when they became a device's newest in the database: from the poll, by its collector's clock.",
    ["poll_group"],
    buckets=(0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 3600),
)
AHEAD_ACTIVE = Gauge(
    "mtd_projections_ahead_active",
    "1 while the newest values are shown in front of a backlog that is being written, else 0.",
)
AHEAD_FRAMES = Counter(
    "mtd_projections_ahead_frames_total",
    "Frames that were shown in front of a backlog, before history had them.",
)
AHEAD_FAILURES = Counter(
    "mtd_projections_ahead_failures_total",
    "Times that the newest values could not be shown in front of a backlog.",
)
