"""Metrics of the browser console."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

VIEWERS = Gauge("mtd_console_viewers", "Open consoles.")
MESSAGES = Counter("mtd_console_messages_total", "Messages sent to consoles.")
SENT_BYTES = Counter("mtd_console_sent_bytes_total", "Bytes of messages sent to consoles.")
SKIPPED = Counter(
    "mtd_console_updates_skipped_total",
    "Values that newer ones replaced before a console was told: it is told once a second, or it reads slowly.",
)
FULL = Counter("mtd_console_full_total", "Times that the connection of a console took no more for a while.")
EVENTS_SKIPPED = Counter(
    "mtd_console_events_skipped_total",
    "Events that a console which reads slowly wasn't told of; they are there to be read.",
)
REFUSED = Counter(
    "mtd_console_refused_total",
    "Requests and consoles that were refused: as many consoles open as are allowed (viewers), or of as many "
    "tenants (tenants), no WebSocket where one is expected (upgrade), a path that is no text (path).",
    ["reason"],
)
BAD_REQUESTS = Counter("mtd_console_bad_requests_total", "Messages of consoles that could not be used.")
DROPPED = Counter(
    "mtd_console_connections_dropped_total",
    "Consoles that were cut off: silent for too long (silent), sending more than they may (flood), or by an error of "
    "mtd, which its log has (error).",
    ["reason"],
)
READ_FAILURES = Counter(
    "mtd_console_read_failures_total",
    "Readings for consoles that failed, by what was read; they are repeated.",
    ["what"],
)
