"""Where a router sends its log, and what it writes there."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_logging.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
