"""What the browser console reads from PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtd.queries.detail import DetailQueries
from mtd.queries.events import EventQueries
from mtd.queries.fleet import FleetQueries
from mtd.queries.health import HealthQueries
from mtd.queries.logs import LogQueries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mtd.queries.logs import LogFilter, LogLineView
    from mtd.queries.ranges import RangeQueries
    from mtd.queries.records import DeviceDetail, FleetRow, HealthHistory, RangeAnswer, StoredEvent
    from mtd.storage.pool import Database

CHART_POINTS = 200_000
"""Most points in one answer: more than any screen has pixels, and a few megabytes of JSON."""


class ConsoleReads:
    """See `ConsoleBackend`. ``ranges``: with the console's limits.

    ``database``: the pool of those who read for doors; ``across``: of what mtd itself reads, across tenants.
    """

    def __init__(self, database: Database, across: Database, ranges: RangeQueries) -> None:
        self._fleet = FleetQueries(database)
        self._details = DetailQueries(database)
        self._events = EventQueries(database)
        self._health = HealthQueries(database, across)
        self._logs = LogQueries(database)
        self._ranges = ranges

    async def fleet(self, tenant_id: str) -> Sequence[FleetRow]:
        """Return all devices as a list shows them."""
        return await self._fleet.fleet(tenant_id)

    async def device(self, tenant_id: str, device_id: str) -> DeviceDetail:
        """Return a device with all that is known of it."""
        return await self._details.detail(device_id, tenant_id)

    async def events_before(
        self, tenant_id: str, before: int | None, limit: int, device_id: str | None = None
    ) -> Sequence[StoredEvent]:
        """Return older events, newest first."""
        return await self._events.before(before, limit, tenant_id=tenant_id, device_id=device_id)

    async def history(
        self,
        tenant_id: str,
        device_id: str,
        metrics: Sequence[str],
        start_us: int,
        end_us: int,
        max_points: int,
    ) -> RangeAnswer:
        """Return stored points; see `ConsoleBackend`."""
        return await self._ranges.query_range(
            device_id, metrics, start_us, end_us, max_points, tenant_id=tenant_id
        )

    async def log_lines(
        self, tenant_id: str, wanted: LogFilter, after: str, limit: int
    ) -> Sequence[LogLineView]:
        """Return lines of routers' logs, newest first."""
        return await self._logs.page(tenant_id, wanted, after=after, limit=limit)

    async def health(self, tenant_id: str, device_id: str, start_us: int, end_us: int) -> HealthHistory:
        """Return how a device was over time."""
        return await self._health.history(device_id, start_us, end_us, tenant_id)
