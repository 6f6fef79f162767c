"""Metrics of listeners."""

from __future__ import annotations

from collections.abc import Mapping

from mtd.core.loop_metrics import LoopCounter
from mtd.core.metrics import Counter, Gauge

RECEIVED = Counter(
    "mtd_listeners_messages_total", "Lines and traps that were received, by listener.", ["listener"]
)
DROPPED = Counter(
    "mtd_listeners_dropped_total",
    "Lines and traps that were received and not stored, by listener and reason: queue_full, unknown_sender, ambiguous_sender, "
    "too_fast, filtered (by the settings), not_recorded, stopped, worker_died (they were in the memory of one that was killed); of traps also malformed, no_trap (a request, say), version_off, "
    "wrong_community, unknown_user, unknown_engine, wrong_level (not proven or encrypted as its user is), wrong_digest, "
    "not_in_time_window, undecryptable.",
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
    "mtd_listeners_stored_total",
    "Lines and traps that were passed on to be stored, by listener; with repeats and what was dropped, they are all that were received.",
    ["listener"],
)
REPEATS = Counter(
    "mtd_listeners_repeats_total",
    "Lines that were passed on as repeats of another one, which is among those stored, by listener.",
    ["listener"],
)
UNDERSTOOD = LoopCounter(
    "mtd_listeners_understood_total", "Lines and traps that a rule knew, by listener.", ["listener"]
)
CUT = Counter(
    "mtd_listeners_cut_total",
    "Lines that were too long: their beginnings were kept, by listener.",
    ["listener"],
)
TOLD: Mapping[str, Counter | LoopCounter] = {
    "dropped": DROPPED,
    "understood": UNDERSTOOD,
    "cut": CUT,
}
"""What workers count and tell, by the name that they tell it by."""
WORKER_STARTS = Counter(
    "mtd_listeners_worker_starts_total",
    "Starts of workers, by listener; more than there are tells of deaths. Those of flows are counted by themselves.",
    ["listener"],
)
CONNECTIONS = Gauge("mtd_listeners_connections", "TCP connections that are open, by listener.", ["listener"])
REFUSED_CONNECTIONS = Counter(
    "mtd_listeners_refused_connections_total",
    "TCP connections that were refused, by listener and reason: too_many, too_many_of_sender, no_resources.",
    ["listener", "reason"],
)
HANDSHAKES = Gauge(
    "mtd_listeners_handshakes", "Handshakes of TLS that are under way, by listener.", ["listener"]
)
FAILED_HANDSHAKES = Counter(
    "mtd_listeners_failed_handshakes_total",
    "Handshakes of TLS that came to nothing, by listener and reason: not_agreed (on versions, ciphers or certificates, or it "
    "was no TLS), timed_out, left (by the sender), gave_way (to newer ones).",
    ["listener", "reason"],
)
STRANGERS = Gauge(
    "mtd_listeners_unknown_senders", "Senders that are nobody's device, by listener.", ["listener"]
)
