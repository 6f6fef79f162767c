"""What forwarding reports of itself. Lanes are ``live`` and ``backfill``."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

CONNECTED = Gauge(
    "mtd_forwarding_hub_connected", "1 while the hub takes events, 0 while it can't be reached."
)
CONNECTS = Counter(
    "mtd_forwarding_connects_total",
    "Attempts to reach a hub, by how they ended: ok, unreachable, refused, busy.",
    ["result"],
)
LAG_EVENTS = Gauge(
    "mtd_forwarding_lag_events", "Events of the log that the hub doesn't have yet, by lane.", ["lane"]
)
LAG_SECONDS = Gauge(
    "mtd_forwarding_lag_seconds",
    "Age of the oldest event that the hub doesn't have yet, by lane; 0: it has all.",
    ["lane"],
)
UNPROJECTED = Gauge(
    "mtd_forwarding_unprojected_events",
    "Events of the log that the hub's database doesn't have yet: they are kept here.",
)
POSITION = Gauge("mtd_forwarding_position", "Position up to which the log may be forgotten.")
LAST_PUSH = Gauge(
    "mtd_forwarding_last_push_timestamp_seconds",
    "When the hub last took events, in seconds since 1970; 0: never.",
)
EVENTS = Counter(
    "mtd_forwarding_events_total",
    "Events that the hub acknowledged, by lane and outcome: stored, duplicate (it had them), dropped (it left them out).",
    ["lane", "outcome"],
)
BYTES = Counter(
    "mtd_forwarding_bytes_total", "Bytes of batches that were sent, before they are packed.", ["lane"]
)
BATCHES = Counter("mtd_forwarding_batches_total", "Batches that were sent.", ["lane"])
RESENDS = Counter(
    "mtd_forwarding_resends_total", "Times that the hub asked for events that were left out.", ["lane"]
)
SKIPPED = Counter(
    "mtd_forwarding_live_skips_total",
    "Times that the live lane left to the backfill what it couldn't send in time.",
)
LOST = Counter(
    "mtd_forwarding_events_lost_total",
    "Events that the hub never got: damaged in the log, trimmed before it had them, too_large for it, or of a tenant that "
    "this collector doesn't work for any more (not_ours).",
    ["reason"],
)
UNACKED_BYTES = Gauge(
    "mtd_forwarding_unacked_bytes", "Bytes that wait for the hub's acknowledgement.", ["lane"]
)
