"""Behind the gRPC door: the inventory and the stored telemetry, as it asks for them."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from mtd.api.config import GrpcConfig
from mtd.api.interfaces import ConnectionReport, DevicePage, TestStep
from mtd.core.errors import Refused, Retryable
from mtd.queries.devices import DeviceQueries, view_of_new
from mtd.queries.events import EventQueries
from mtd.queries.latest import LatestQueries
from mtd.queries.ranges import RangeQueries
from mtd.sources.routeros_api.trial import test_connection
from mtd.storage.stores.devices import DeviceRecord, DeviceStore, to_device

if TYPE_CHECKING:
    from mtd.model.device import Device, Severity
    from mtd.model.layout import Layout
    from mtd.queries.records import DeviceView, InstanceName, LatestFrame, RangeAnswer, StoredEvent
    from mtd.scheduler.service import Scheduler
    from mtd.sources.routeros_api.config import RouterOsApiConfig
    from mtd.storage.pool import Database
    from mtd.storage.stores.devices import DeviceSettings


class Inventory:
    """Devices in PostgreSQL, and the scheduler that polls them; see `InventoryBackend`."""

    def __init__(
        self,
        database: Database,
        store: DeviceStore,
        api_config: RouterOsApiConfig,
        scheduler: Callable[[], Scheduler | None],
        wait_until_projected: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._queries = DeviceQueries(database)
        self._api_config = api_config
        self._scheduler = scheduler
        self._wait_until_projected = wait_until_projected

    async def create(self, tenant_id: str, settings: DeviceSettings, password: str) -> DeviceView:
        """Add a device; see `InventoryBackend`."""
        return view_of_new(await self._store.create(settings, password, tenant_id))

    async def get(self, tenant_id: str, device: str) -> DeviceView:
        """Return a device."""
        return await self._queries.get(device, tenant_id)

    async def list_page(self, tenant_id: str, page_size: int, page_token: str) -> DevicePage:
        """Return devices by name. The token is the last name of the page before."""
        found = await self._queries.list(tenant_id, after_name=_name_in(page_token), limit=page_size + 1)
        page = found[:page_size]
        token = _token_for(page[-1].settings.name) if len(found) > page_size else ""
        return DevicePage(page, token)

    async def update(
        self,
        tenant_id: str,
        device: str,
        settings: DeviceSettings,
        mask: Sequence[str],
        password: str | None,
        revision: int,
    ) -> DeviceView:
        """Change a device; see `InventoryBackend`."""
        record = await self._store.update(
            device, settings, mask, password=password, revision=revision, tenant_id=tenant_id
        )
        return await self._queries.get(record.device_id, tenant_id)

    async def delete(self, tenant_id: str, device: str) -> None:
        """Remove a device; what was observed stays."""
        await self._store.delete(device, tenant_id)

    async def test_device(self, tenant_id: str, device: str) -> ConnectionReport:
        """Try to reach a known device, with a session of its own."""
        record = await self._store.get(device, tenant_id)
        password = await self._store.password(record.device_id, tenant_id)
        return await self._test(to_device(record, password))

    async def test_settings(
        self, tenant_id: str, settings: DeviceSettings, password: str
    ) -> ConnectionReport:
        """Try to reach a device that isn't stored."""
        never = dt.datetime.fromtimestamp(0, dt.UTC)
        record = DeviceRecord(tenant_id, "", settings.checked(), 0, never, never)
        return await self._test(to_device(record, password))

    async def refresh_capabilities(self, tenant_id: str, device: str) -> DeviceView:
        """Probe a device now; answer when the result is in PostgreSQL."""
        view = await self._queries.get(device, tenant_id)
        scheduler = self._scheduler()
        if scheduler is None:
            raise Retryable("this daemon doesn't poll at the moment")
        await scheduler.refresh_capabilities(view.device_id)
        await self._wait_until_projected()
        return await self._queries.get(view.device_id, tenant_id)

    async def _test(self, device: Device) -> ConnectionReport:
        result = await test_connection(device, config=self._api_config)
        steps = [TestStep(step.name, step.ok, step.duration_us, step.detail) for step in result.steps]
        return ConnectionReport(
            result.outcome,
            result.reason,
            steps,
            result.routeros_version,
            result.board_name,
            result.identity,
            result.tls_fingerprint,
        )


class Telemetry:
    """What the projections stored; see `TelemetryBackend`."""

    def __init__(self, database: Database, door: GrpcConfig | None = None) -> None:
        self._latest = LatestQueries(database)
        # Refused before it is read: the door's own check would come when all is in memory.
        most = (door or GrpcConfig()).max_points_per_answer
        self._ranges = RangeQueries(database, max_answer_points=most)
        self._events = EventQueries(database)

    async def latest_all(self) -> Sequence[LatestFrame]:
        """Return the newest frames of all devices of all tenants."""
        return await self._latest.latest_all()

    async def names_all(self) -> Sequence[InstanceName]:
        """Return what the things of all devices are called."""
        return await self._latest.names_all()

    async def layout(self, tenant_id: str, layout_id: int) -> Layout | None:
        """Return a layout that was declared once."""
        return await self._latest.layout(tenant_id, layout_id)

    async def query_range(
        self,
        tenant_id: str,
        device: str,
        metrics: Sequence[str],
        start_us: int,
        end_us: int,
        max_points: int,
    ) -> RangeAnswer:
        """Return stored points; see `TelemetryBackend`."""
        return await self._ranges.query_range(
            device, metrics, start_us, end_us, max_points, tenant_id=tenant_id
        )

    async def events_after(
        self, tenant_id: str, after: int, limit: int, devices: Sequence[str], min_severity: Severity
    ) -> Sequence[StoredEvent]:
        """Return stored events behind a position."""
        return await self._events.after(
            after, limit, tenant_id=tenant_id, devices=devices, min_severity=min_severity
        )

    async def event_position(self, tenant_id: str) -> int:
        """Return the position of the newest event."""
        return await self._events.last_position()


def _token_for(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _name_in(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refused("page_token is not one that this server gave out; begin without a token") from None
