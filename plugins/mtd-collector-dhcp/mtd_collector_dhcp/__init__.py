"""Leases, pools, servers and clients of DHCP and DHCPv6, and the DNS cache of a router."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_dhcp.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
