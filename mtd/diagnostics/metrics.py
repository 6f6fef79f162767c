"""Metrics of the tools that routers run on demand."""

from __future__ import annotations

from mtd.core.metrics import Counter, Gauge

RUNNING = Gauge("mtd_diagnostics_running", "Tools that run on routers now.")
RUNS = Counter("mtd_diagnostics_runs_total", "Tools that were run on routers, by result.", ["tool", "result"])
ROWS = Counter("mtd_diagnostics_rows_total", "Rows that tools brought.", ["tool"])
ROWS_LEFT_OUT = Counter(
    "mtd_diagnostics_rows_left_out_total", "Rows that came after a tool had brought all it may.", ["tool"]
)
REFUSED = Counter(
    "mtd_diagnostics_refused_total",
    "Runs that were refused since the caller, or its tenant, had begun as many within an hour as may be.",
    ["reason"],
)
