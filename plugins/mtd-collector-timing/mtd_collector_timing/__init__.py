"""The clock of a router: how far it is off, NTP and GPS."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_timing.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
