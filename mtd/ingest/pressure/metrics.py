"""What back-pressure reports of itself."""

from __future__ import annotations

import math

from mtd.core.metrics import Counter, Gauge

LEVEL = Gauge(
    "mtd_pressure_level",
    "How far polling is thinned out: 0 not at all; at 1 to 4 T3, T2 and T1 one after the other; at 5 T0 waits as well.",
)
CAUSE_LEVEL = Gauge("mtd_pressure_cause_level", "The step that each cause has reached.", ["cause"])
INTERVAL_FACTOR = Gauge(
    "mtd_pressure_interval_factor",
    "How many times as long as configured the interval of a tier is; 0 while it isn't polled.",
    ["tier"],
)
CHANGES = Counter("mtd_pressure_changes_total", "Steps of pressure that began or ended.", ["direction"])
LOG_FILL = Gauge(
    "mtd_pressure_log_fill_ratio", "Share of the log's quota that a consumer still needs, 0 to 1."
)
BACKLOG_SECONDS = Gauge(
    "mtd_pressure_backlog_seconds", "How far PostgreSQL, or the hub, is behind the event log."
)
DISK_SPARE_BYTES = Gauge(
    "mtd_pressure_disk_spare_bytes", "What may still be written to the disk until the log has to stop."
)
FULL_SECONDS = Gauge(
    "mtd_pressure_full_seconds",
    "In how long there is no room any more, if all goes on as in the last minute; +Inf if never.",
)
FULL_SECONDS.set(math.inf)
HELD_BACK = Counter(
    "mtd_pressure_held_back_total", "Times that someone who sends was told to wait, by who.", ["door"]
)
HELD_BACK_SECONDS = Counter(
    "mtd_pressure_held_back_seconds_total", "Time for which streams of collectors were not read on.", ["lane"]
)
