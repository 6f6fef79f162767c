"""What a router offers and watches: services, certificates, netwatch, its public address."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_services.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
