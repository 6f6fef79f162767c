"""Queues: what goes through them, what they drop, how they are set."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_queues.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
