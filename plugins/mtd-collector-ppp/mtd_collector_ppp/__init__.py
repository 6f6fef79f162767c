"""Sessions and tunnels: PPP, hotspot, IPsec, WireGuard, and the interfaces of other VPNs."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_ppp.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
