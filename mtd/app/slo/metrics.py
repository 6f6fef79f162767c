"""Metrics of service levels."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

TARGET = Gauge("mtd_slo_target_ratio", "Share that is promised.", ["objective"])
GOOD = Gauge(
    "mtd_slo_good_ratio", "Share that was good over a window, of all tenants.", ["objective", "window"]
)
BURN = Gauge(
    "mtd_slo_burn_rate",
    "How fast the error budget is used over a window: at 1 it is gone at the window's end.",
    ["objective", "window"],
)
BUDGET_LEFT = Gauge(
    "mtd_slo_budget_left_ratio",
    "What is left of the error budget of 30 days; below 0: broken.",
    ["objective"],
)
LOOK_FAILURES = Counter("mtd_slo_look_failures_total", "Looks at the fleet that failed.")
CLOCK_AHEAD = Gauge(
    "mtd_slo_database_clock_ahead_seconds", "How far PostgreSQL's clock is ahead of this machine's."
)
