"""Queues of the event log, whatever its backend."""

from __future__ import annotations

from mtd.core.queues import Policy, declare

COMMITS = declare(
    "eventlog.commits",
    "batches",
    Policy.REFUSE,
    "Batches that wait for a commit of the event log.",
    limited_by="event_log.max_waiting_batches",
    counted_by="mtd_eventlog_failed_batches_total",
)
IN_FLIGHT = declare(
    "eventlog.in_flight",
    "bytes",
    Policy.WAIT,
    "Batches that were sent to the servers of a stream and are not confirmed. Others wait in eventlog.commits.",
    limited_by="event_log.jetstream.max_in_flight_bytes",
)
