"""Who changed what on a router: its history, and its configuration section by section, without secrets."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_audit.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
