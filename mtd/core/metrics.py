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
QUEUE_ITEMS = Gauge("mtd_core_queue_items", "Items in a queue.", ["queue"])
QUEUE_CAPACITY = Gauge("mtd_core_queue_capacity_items", "Items that a queue may hold.", ["queue"])
QUEUE_PUT = Counter("mtd_core_queue_put_total", "Items that were put into a queue.", ["queue"])
QUEUE_DROPPED = Counter(
    "mtd_core_queue_dropped_total", "Items that gave way to newer ones in a full queue.", ["queue"]
)
GATE_LIMIT = Gauge("mtd_core_gate_limit", "Tasks that a gate lets in at once.", ["gate"])
GATE_IN_PROGRESS = Gauge("mtd_core_gate_in_progress", "Tasks inside a gate.", ["gate"])
GATE_WAITING = Gauge("mtd_core_gate_waiting", "Tasks that wait before a gate.", ["gate"])
