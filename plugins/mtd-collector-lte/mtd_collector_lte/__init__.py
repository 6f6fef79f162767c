"""LTE and 5G modems: signal, registration, cell."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_lte.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
