"""How many connections a router tracks, what its firewall rules match, and what is on its address lists."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_firewall.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
