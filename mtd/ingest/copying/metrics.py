"""What is counted of copied logs."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

STREAMS = Gauge("mtd_ingest_append_streams", "Streams of collectors now.", ["lane"])
BATCHES = Counter(
    "mtd_ingest_append_batches_total",
    "Batches of collectors: acknowledged; or not stored, because events before it are missing (gap), the log couldn't "
    "take it (unavailable), it isn't well formed (malformed), or it holds what the collector may not speak for "
    "(forbidden).",
    ["outcome"],
)
EVENTS = Counter(
    "mtd_ingest_append_events_total",
    "Events of collectors: stored; duplicate; or left out, because their device is gone (unknown_device) or they "
    "aren't well formed (malformed). Those of a kind that only a newer mtd knows are stored, and counted once more as "
    "unknown_kind: no table has them.",
    ["outcome"],
)
WAITED = Counter(
    "mtd_ingest_append_limited_seconds_total", "Time that streams were held up by the rate of their tenant."
)
UNACKED_BYTES = Gauge("mtd_ingest_append_unacked_bytes", "Bytes of batches that wait for the log.")
ENDED = Counter(
    "mtd_ingest_append_streams_ended_total", "Streams that a newer one of the same lane has ended."
)
UNKNOWN_MESSAGES = Counter(
    "mtd_ingest_append_unknown_messages_total",
    "Messages of collectors of a kind that only a newer mtd knows: ignored.",
)
