"""Metrics of the RouterOS API source."""

from __future__ import annotations

from mtd.core.loop_metrics import LoopCounter
from mtd.core.metrics import Counter, Gauge

SESSIONS = Gauge("mtd_source_sessions", "RouterOS API sessions that are logged in.")
CONNECTS = Counter("mtd_source_connects_total", "Attempts to open a session.")
LOGINS = Counter("mtd_source_logins_total", "Sessions logged in, by login method.", ["method"])
FAILURES = Counter("mtd_source_failures_total", "Sessions that failed or were lost, by outcome.", ["outcome"])
COMMANDS = LoopCounter("mtd_source_commands_total", "Commands sent to routers.")
TRAPS = Counter("mtd_source_traps_total", "Commands that routers refused.")
CANCELLED = Counter("mtd_source_cancelled_total", "Commands that we cancelled, by cause.", ["cause"])
SENT_BYTES = LoopCounter("mtd_source_sent_bytes_total", "Bytes sent to routers, before TLS.")
RECEIVED_BYTES = LoopCounter("mtd_source_received_bytes_total", "Bytes received from routers, after TLS.")
ROWS = LoopCounter("mtd_source_rows_total", "Rows received.")
SLOW_ROWS = Counter("mtd_source_slow_rows_total", "Rows that no learned pattern matched: read word by word.")
UNKNOWN_WORDS = Counter("mtd_source_unknown_words_total", "Words received that the protocol doesn't know.")
UNKNOWN_SENTENCES = Counter(
    "mtd_source_unknown_sentences_total", "Sentences received with an unknown reply word or tag."
)
