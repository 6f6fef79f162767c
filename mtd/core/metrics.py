"""Metrics of the process itself, served at ``/metrics``.

Each component keeps its own in a module ``metrics.py``, made with these
constructors in prometheus-client's default registry. Names follow
``mtd_<component>_<noun>_<unit>[_total]``; labels are few and bounded. A unit
that is the end of the name is told as OpenMetrics has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import prometheus_client

UNITS = frozenset({"seconds", "bytes", "ratio"})
"""Base units, which names of metrics end in. What is counted in things (events, polls) has none."""


def unit_of(name: str) -> str:
    """Return the unit that a metric's name ends in; empty if it has none."""
    before, _, word = name.removesuffix("_total").rpartition("_")
    return word if before and word in UNITS else ""


class Counter(prometheus_client.Counter):
    """prometheus-client's, with the unit of its name."""

    def __init__(self, name: str, documentation: str, labelnames: Iterable[str] = (), **options: Any) -> None:
        super().__init__(name, documentation, labelnames, **{"unit": unit_of(name), **options})


class Gauge(prometheus_client.Gauge):
    """prometheus-client's, with the unit of its name."""

    def __init__(self, name: str, documentation: str, labelnames: Iterable[str] = (), **options: Any) -> None:
        super().__init__(name, documentation, labelnames, **{"unit": unit_of(name), **options})


class Histogram(prometheus_client.Histogram):
    """prometheus-client's, with the unit of its name."""

    def __init__(self, name: str, documentation: str, labelnames: Iterable[str] = (), **options: Any) -> None:
        super().__init__(name, documentation, labelnames, **{"unit": unit_of(name), **options})


__all__ = ["Counter", "Gauge", "Histogram", "TASK_FAILURES", "UNITS", "unit_of"]

TASK_FAILURES = Counter(
    "mtd_core_task_failures_total", "Background tasks that ended with an error.", ["task"]
)
WORKER_SILENCES = Counter(
    "mtd_core_worker_silences_total",
    "Worker processes that hung, and were killed since they showed no sign of life.",
    ["worker"],
)
GATE_LIMIT = Gauge("mtd_core_gate_limit", "Tasks that a gate lets in at once.", ["gate"])
GATE_IN_PROGRESS = Gauge("mtd_core_gate_in_progress", "Tasks inside a gate.", ["gate"])
GATE_WAITING = Gauge("mtd_core_gate_waiting", "Tasks that wait before a gate.", ["gate"])
TASKS = Gauge("mtd_core_tasks", "Tasks of the loop: they come and go, and must not pile up.")
