"""Who may log in to a router, and who is logged in. Never passwords."""

from __future__ import annotations

from mtd.plugin import Collector, hookimpl
from mtd_collector_users.declaration import COLLECTOR

__all__ = ["COLLECTOR", "mtd_collectors"]


@hookimpl
def mtd_collectors() -> list[Collector]:
    """Bring the collector of this egg."""
    return [COLLECTOR]
