"""Metrics of the process itself, served at ``/metrics``.

Each component keeps its own in a module ``metrics.py``, made with these
constructors in prometheus-client's default registry. Names follow
``mtd_<component>_<noun>_<unit>[_total]``; labels are few and bounded.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

__all__ = ["Counter", "Gauge", "Histogram", "TASK_FAILURES"]

TASK_FAILURES = Counter(
    "mtd_core_task_failures_total", "Background tasks that ended with an error.", ["task"]
)
GATE_LIMIT = Gauge("mtd_core_gate_limit", "Tasks that a gate lets in at once.", ["gate"])
GATE_IN_PROGRESS = Gauge("mtd_core_gate_in_progress", "Tasks inside a gate.", ["gate"])
GATE_WAITING = Gauge("mtd_core_gate_waiting", "Tasks that wait before a gate.", ["gate"])
TASKS = Gauge("mtd_core_tasks", "Tasks of the loop: they come and go, and must not pile up.")
