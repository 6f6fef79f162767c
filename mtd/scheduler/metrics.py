"""Metrics of the scheduler."""

from __future__ import annotations

from mtd.core.loop_metrics import Count, LoopCounter, LoopHistogram
from mtd.core.metrics import Counter, Gauge
from mtd.model.metric import Tier

POLLS = LoopCounter("mtd_scheduler_polls_total", "Polls that were answered.", ["tier"])
POLLS_FAILED = Counter(
    "mtd_scheduler_polls_failed_total", "Polls that failed, by cause.", ["tier", "outcome"]
)
POLLS_SKIPPED = Counter(
    "mtd_scheduler_polls_skipped_total",
    "Polls that were due and not made: the one before was still running (overrun), the router's CPU "
    "was high (cpu_guard), the event log was under pressure (pressure), or this tier was not answered "
    "lately (resting).",
    ["tier", "reason"],
)
POLLS_MISSED = Counter(
    "mtd_scheduler_polls_missed_total", "Polls that were due while the device had no session.", ["tier"]
)
POLLS_ON_DEMAND = Counter(
    "mtd_scheduler_polls_on_demand_total",
    "Polls that somebody asked for: begun, joined with those under way, not done in time (unfinished), "
    "refused since the device was asked a moment ago (too_soon) or has no session (no_session).",
    ["result"],
)
POLL_SECONDS = LoopHistogram(
    "mtd_scheduler_poll_seconds",
    "Time from sending the commands of a poll to the end of the last reply.",
    ["tier"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
LATENESS_SECONDS = LoopHistogram(
    "mtd_scheduler_lateness_seconds",
    "How much later than due a T0 poll started.",
    buckets=(0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2),
)
TABLES_NOT_LOADED = Counter(
    "mtd_scheduler_tables_not_loaded_total",
    "Devices whose polling began without the names of before, because the database was away.",
)
INTERNAL_ERRORS = Counter(
    "mtd_scheduler_internal_errors_total", "Sessions that ended by an error of mtd itself; the log has it."
)
DEVICES = Gauge("mtd_scheduler_devices", "Devices by status.", ["status"])
RATES_DISCARDED = Counter(
    "mtd_scheduler_rates_discarded_total", "Rates that exceeded the speed of their link twice."
)

# Looking a label up costs more than counting: those of every poll are looked up once.
POLLS_OF = {tier: POLLS.labels(tier=tier) for tier in Tier}
POLL_SECONDS_OF = {tier: POLL_SECONDS.labels(tier=tier) for tier in Tier}

# What it costs the routers, by the collector that asked; a command that several share is shared out.
_CATEGORY = ["category"]
_COSTS = (
    LoopCounter(
        "mtd_router_commands_total", "Commands that routers answered, by the category that asked.", _CATEGORY
    ),
    LoopCounter(
        "mtd_router_received_bytes_total", "Bytes that routers answered with, by category.", _CATEGORY
    ),
    LoopCounter(
        "mtd_router_sent_bytes_total", "Bytes of commands that routers answered, by category.", _CATEGORY
    ),
    LoopCounter("mtd_router_rows_total", "Rows that routers answered with, by category.", _CATEGORY),
    LoopCounter(
        "mtd_router_busy_seconds_total",
        "Seconds in which commands of a category were under way at a router.",
        _CATEGORY,
    ),
)
_COSTS_OF: dict[str, tuple[Count, ...]] = {}  # bound: the collectors that are installed


def cost_counters(category: str) -> tuple[Count, ...]:
    """Return the counters of a category: commands, bytes received and sent, rows, busy seconds."""
    found = _COSTS_OF.get(category)
    if found is None:
        found = _COSTS_OF[category] = tuple(counter.labels(category=category) for counter in _COSTS)
    return found
