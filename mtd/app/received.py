"""What routers sent by themselves, for callers: lines of their logs, and flows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.api.grpc.flows import flow_parts
from mtd.api.grpc.logs import log_parts
from mtd.queries.flows.asking import FlowQueries
from mtd.queries.logs import LogQueries

if TYPE_CHECKING:
    from mtd.api.grpc.server import ServicePart
    from mtd.app.config import Settings
    from mtd.app.pools import Pools
    from mtd.queries.limits import TenantLimits
    from mtd.queries.ranges import RangeQueries, ShownDays


def flow_queries(
    settings: Settings, pools: Pools, ranges: RangeQueries, limits: TenantLimits, shown_days: ShownDays
) -> FlowQueries:
    """Return what reads flows. ``ranges`` has to share the ``limits``."""
    return FlowQueries(
        pools.arrays,
        ranges,
        settings.queries,
        limits=limits,
        retention=settings.database.retention,
        shown_days=shown_days,
    )


def received_parts(pools: Pools, limits: TenantLimits, flows: FlowQueries) -> list[ServicePart]:
    """Return the services."""
    return [*log_parts(LogQueries(pools.doors, limits)), *flow_parts(flows)]
