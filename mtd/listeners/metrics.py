"""Metrics of listeners."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

RECEIVED = Counter("mtd_listeners_messages_total", "Lines that were received, by listener.", ["listener"])
DROPPED = Counter(
    "mtd_listeners_dropped_total",
    "Lines that were received and not stored, by listener and reason: queue_full, unknown_sender, ambiguous_sender, "
    "too_fast, filtered (by the settings), not_recorded, stopped.",
    ["listener", "reason"],
)
KERNEL_DROPPED = Counter(
    "mtd_listeners_kernel_dropped_total",
    "Datagrams that the kernel dropped since its buffer was full, by listener.",
    ["listener"],
)
BUFFER_BYTES = Gauge(
    "mtd_listeners_receive_buffer_bytes", "What the kernel holds for a listener at most.", ["listener"]
)
STORED = Counter(
    "mtd_listeners_stored_total", "Lines that were passed on to be stored, by listener.", ["listener"]
)
REPEATS = Counter(
    "mtd_listeners_repeats_total",
    "Lines that were stored as repeats of another one, by listener.",
    ["listener"],
)
UNDERSTOOD = Counter("mtd_listeners_understood_total", "Lines that a rule knew, by listener.", ["listener"])
CUT = Counter(
    "mtd_listeners_cut_total",
    "Lines that were too long: their beginnings were kept, by listener.",
    ["listener"],
)
CONNECTIONS = Gauge("mtd_listeners_connections", "TCP connections that are open, by listener.", ["listener"])
REFUSED_CONNECTIONS = Counter(
    "mtd_listeners_refused_connections_total",
    "TCP connections that were too many, by listener.",
    ["listener"],
)
STRANGERS = Gauge(
    "mtd_listeners_unknown_senders", "Senders that are nobody's device, by listener.", ["listener"]
)
