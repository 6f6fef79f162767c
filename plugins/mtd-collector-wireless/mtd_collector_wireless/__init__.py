"""Wireless networks in all shapes that RouterOS gives them: clients, interfaces, controlled access points."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_wireless.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
