"""Routing protocols of a router, and the neighbours that they talk to: BGP, OSPF, RIP, LDP, BFD."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_routing.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
