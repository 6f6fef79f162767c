"""Metrics of the SNMP source."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

SESSIONS = Gauge("mtd_snmp_sessions", "Devices that are asked over SNMP at the moment.")
CONNECTS = Counter("mtd_snmp_connects_total", "Attempts to reach a device over SNMP.")
FAILURES = Counter("mtd_snmp_failures_total", "Devices that failed or were lost, by outcome.", ["outcome"])
REQUESTS = Counter("mtd_snmp_requests_total", "Requests sent, by kind, repeated ones included.", ["kind"])
REPEATED = Counter("mtd_snmp_requests_repeated_total", "Requests sent again for want of an answer.")
OBJECTS = Counter("mtd_snmp_objects_total", "Objects that agents told.")
SPLIT = Counter(
    "mtd_snmp_requests_split_total",
    "Requests asked again in halves: the agent refused the whole, or its answer didn't fit.",
)
REFUSED = Counter("mtd_snmp_objects_refused_total", "Objects that an agent failed to tell, alone as well.")
UNREADABLE = Counter("mtd_snmp_answers_unreadable_total", "Answers that are no SNMP.")
NOT_INCREASING = Counter(
    "mtd_snmp_walks_ended_total", "Walks ended because the agent didn't go on, but round and round."
)
LIMITED = Counter("mtd_snmp_commands_limited_total", "Commands given up, by cause.", ["cause"])
CONVERSIONS_FAILED = Counter(
    "mtd_snmp_conversions_failed_total", "Values that a plugin failed to write as RouterOS would."
)
NOT_SERVED = Counter("mtd_snmp_commands_not_served_total", "Commands that SNMP has no words for.")
