"""Behind the gRPC door: the inventory and the stored telemetry, as it asks for them."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from mtd.api.interfaces import ConnectionReport, CostPage, DeviceInterfaces, DevicePage, TestStep
from mtd.app.watching import IntervalsOf, Watching
from mtd.core.errors import NotFound, Refused, Retryable
from mtd.model.ways import REST_FACT
from mtd.queries.devices import DeviceQueries, view_of_new
from mtd.queries.events import EventQueries
from mtd.queries.health import HealthQueries
from mtd.queries.latest import LatestQueries
from mtd.queries.snapshots import SnapshotQueries
from mtd.queries.state import StateQueries
from mtd.sources.way_trial import try_ways
from mtd.storage.stores.device_secrets import refuse_misfit
from mtd.storage.stores.device_settings import DeviceRecord, to_device
from mtd.storage.stores.devices import DeviceStore
from mtd.storage.stores.polled import PolledDevices

if TYPE_CHECKING:
    from mtd.app.edges import Edges
    from mtd.model.device import Device, Severity, Way
    from mtd.model.layout import Layout
    from mtd.model.metric import Tier
    from mtd.model.polled import PolledTier
    from mtd.queries.cache import Aged
    from mtd.queries.newest import NewestPage, Token
    from mtd.queries.overview import OverviewQueries
    from mtd.queries.ranges import RangeQueries
    from mtd.queries.records import (
        DeviceView,
        EventDay,
        HealthHistory,
        InstanceName,
        LatestFrame,
        RangeAnswer,
        StatusCount,
        StoredEvent,
        TopEntry,
    )
    from mtd.queries.resolution import Resolution
    from mtd.queries.snapshots import SnapshotSummary, SnapshotVersion
    from mtd.queries.state import RowFilter, TablePage, TableSummary
    from mtd.queries.top import TopBy
    from mtd.scheduler.service import Scheduler
    from mtd.sources.way_trial import TestWay, WaysTest
    from mtd.storage.pool import Database
    from mtd.storage.stores.device_settings import DeviceSettings, Secrets

T = TypeVar("T")


class Inventory:
    """Devices in PostgreSQL, and the scheduler that polls them; see `InventoryBackend`."""

    def __init__(
        self,
        database: Database,
        store: DeviceStore,
        polled: PolledDevices,
        testers: Mapping[Way, TestWay],
        scheduler: Callable[[], Scheduler | None],
        wait_until_projected: Callable[[], Awaitable[None]],
        intervals_s: IntervalsOf = dict,
        edges: Edges | None = None,
    ) -> None:
        self._edges = edges
        self._store = store
        self._polled = polled
        self._queries = DeviceQueries(database)
        self._testers = testers
        self._scheduler = scheduler
        self._wait_until_projected = wait_until_projected
        self._watching = Watching(database, scheduler, intervals_s)

    async def create(
        self, tenant_id: str, settings: DeviceSettings, password: str, secrets: Secrets
    ) -> DeviceView:
        """Add a device; see `InventoryBackend`."""
        record = await self._store.create(settings, password, tenant_id, secrets=secrets)
        if settings.site or settings.groups:  # as they are called, where they were given by id
            return await self._queries.get(record.device_id, tenant_id)
        return view_of_new(record)

    async def get(self, tenant_id: str, device: str) -> DeviceView:
        """Return a device."""
        return await self._queries.get(device, tenant_id)

    async def list_page(
        self, tenant_id: str, page_size: int, page_token: str, site: str = "", group: str = ""
    ) -> DevicePage:
        """Return devices by name. The token is the last name of the page before."""
        found = await self._queries.list(
            tenant_id, after_name=_name_in(page_token), limit=page_size + 1, site=site, group=group
        )
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
        secrets: Secrets,
    ) -> DeviceView:
        """Change a device; see `InventoryBackend`."""
        record = await self._store.update(
            device,
            settings,
            mask,
            password=password,
            revision=revision,
            tenant_id=tenant_id,
            secrets=secrets,
        )
        return await self._queries.get(record.device_id, tenant_id)

    async def delete(self, tenant_id: str, device: str) -> None:
        """Remove a device; what was observed stays."""
        await self._store.delete(device, tenant_id)

    async def test_device(self, tenant_id: str, device: str) -> ConnectionReport:
        """Try to reach a known device, with a session of its own."""
        view = await self._queries.get(device, tenant_id)
        told_rest = view.capabilities.get(REST_FACT, "")
        polled = await self._polled.polled(view.device_id, tenant_id)
        tested = None if self._edges is None else await self._edges.reach.test(polled, told_rest)
        return await self._test(polled, told_rest) if tested is None else _report_of(tested)

    async def test_settings(
        self, tenant_id: str, settings: DeviceSettings, password: str, secrets: Secrets
    ) -> ConnectionReport:
        """Try to reach a device that isn't stored."""
        never = dt.datetime.fromtimestamp(0, dt.UTC)
        settings = settings.checked()
        if settings.readonly_credentials:
            # Whoever may test anything could send the set's login to a host of their own.
            raise Refused(
                "readonly_credentials: a set is tried with a device that is stored; give a login instead"
            )
        refuse_misfit(settings, secrets)
        record = DeviceRecord(tenant_id, "", settings, 0, never, never)
        return await self._test(to_device(record, password, secrets))

    async def refresh_capabilities(self, tenant_id: str, device: str) -> DeviceView:
        """Probe a device now; answer when the result is in PostgreSQL."""
        view = await self._queries.get(device, tenant_id)
        if self._edges is None or not await self._edges.refresh(view.device_id, tenant_id):
            await self._here(view, lambda scheduler: scheduler.refresh_capabilities(view.device_id))
        return await self._queries.get(view.device_id, tenant_id)

    async def poll_now(self, tenant_id: str, device: str, tiers: frozenset[Tier]) -> Sequence[PolledTier]:
        """Poll a device now; answer when what was read is in PostgreSQL."""
        view = await self._queries.get(device, tenant_id)
        if not view.settings.enabled:
            raise Refused(f"{view.settings.name} is switched off: switch it on (enabled), and it is polled")
        polled = None
        if self._edges is not None:
            polled = await self._edges.poll(view.device_id, tenant_id, tiers)
        if polled is None:
            return await self._here(view, lambda scheduler: scheduler.poll_now(view.device_id, tiers))
        return polled

    async def _here(self, view: DeviceView, work: Callable[[Scheduler], Awaitable[T]]) -> T:
        """Do something with a device that this process polls, and wait until what it told is in PostgreSQL."""
        scheduler = self._scheduler()
        try:
            if scheduler is None:
                raise NotFound("this daemon doesn't poll")
            done = await work(scheduler)
        except NotFound:
            await self._refuse_elsewhere(view, "ask that one")
            if scheduler is None:
                raise Retryable("this daemon doesn't poll at the moment") from None
            raise
        await self._wait_until_projected()
        return done

    async def _refuse_elsewhere(self, view: DeviceView, what_to_do: str) -> None:
        """Raise NotFound if another process polls a device: it says which."""
        poller = None if self._edges is None else await self._edges.elsewhere(view.device_id, view.tenant_id)
        if poller is not None:
            kind = "collector" if poller.edge else "daemon"
            error = NotFound(
                f"{view.settings.name} is polled by the {kind} {poller.name!r}, not by this daemon"
            )
            error.hint = what_to_do
            raise error

    async def interfaces(self, tenant_id: str, device: str) -> DeviceInterfaces:
        """Return how often the interfaces of a device are read, and why."""
        return await self._watching.interfaces(tenant_id, device)

    async def costs(self, tenant_id: str, device: str, page_size: int, page_token: str) -> CostPage:
        """Return what watching costs a device, or a page of those that are polled here."""
        try:
            page = await self._watching.costs(tenant_id, device, page_size, _name_in(page_token))
        except (NotFound, Retryable):
            if device:
                view = await self._queries.get(device, tenant_id)
                await self._refuse_elsewhere(view, "costs are counted where a router is polled: ask there")
            raise
        return replace(page, next_token=_token_for(page.next_token) if page.next_token else "")

    async def _test(self, device: Device, told_rest: str = "") -> ConnectionReport:
        return _report_of(await try_ways(device, self._testers, told_rest))


class Telemetry:
    """What the projections stored; see `TelemetryBackend`.

    ``doors``: the pool of doors; ``across``: of what mtd itself reads, across tenants.
    """

    def __init__(
        self, doors: Database, across: Database, ranges: RangeQueries, overview: OverviewQueries
    ) -> None:
        self._latest = LatestQueries(across)
        self._positions = EventQueries(across)
        self._ranges = ranges
        self._overview = overview
        self._devices = DeviceQueries(doors)
        self._health = HealthQueries(doors, across)
        self._events = EventQueries(doors)
        self._state = StateQueries(doors)
        self._snapshots = SnapshotQueries(doors)

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
        resolution: Resolution,
    ) -> RangeAnswer:
        """Return stored points; see `TelemetryBackend`."""
        return await self._ranges.query_range(
            device, metrics, start_us, end_us, max_points, resolution=resolution, tenant_id=tenant_id
        )

    async def health(self, tenant_id: str, device: str, start_us: int, end_us: int) -> HealthHistory:
        """Return how a device was over time."""
        view = await self._devices.get(device, tenant_id)
        return await self._health.history(view.device_id, start_us, end_us, tenant_id)

    async def newest(
        self,
        tenant_id: str,
        devices: Sequence[str],
        metrics: Sequence[str],
        page_size: int,
        after: Token | None,
        form: Callable[[NewestPage], T],
    ) -> Aged[T]:
        """Return a page of the newest values."""
        return await self._overview.newest(devices, metrics, page_size, after, form, tenant_id=tenant_id)

    async def top(
        self, tenant_id: str, by: TopBy, limit: int, window_s: int, devices: Sequence[str]
    ) -> Aged[Sequence[TopEntry]]:
        """Return a ranking of interfaces."""
        return await self._overview.top(by, limit, window_s, devices, tenant_id=tenant_id)

    async def status_counts(self, tenant_id: str) -> Aged[Sequence[StatusCount]]:
        """Return how many devices have each status."""
        return await self._overview.status_counts(tenant_id=tenant_id)

    async def events_per_day(
        self, tenant_id: str, days: int, devices: Sequence[str]
    ) -> Aged[Sequence[EventDay]]:
        """Return the events of the last days."""
        return await self._overview.events_per_day(days, devices, tenant_id=tenant_id)

    async def events_after(
        self, tenant_id: str, after: int, limit: int, devices: Sequence[str], min_severity: Severity
    ) -> Sequence[StoredEvent]:
        """Return stored events behind a position."""
        return await self._events.after(
            after, limit, tenant_id=tenant_id, devices=devices, min_severity=min_severity
        )

    async def tables(self, tenant_id: str, device: str) -> Sequence[TableSummary]:
        """Return the current-state tables of a device."""
        return await self._state.tables(device, tenant_id)

    async def table_rows(
        self, tenant_id: str, device: str, table: str, wanted: RowFilter, limit: int, after: str
    ) -> TablePage:
        """Return a page of a table."""
        return await self._state.rows(device, table, wanted, limit, after, tenant_id)

    async def snapshots(self, tenant_id: str, device: str) -> Sequence[SnapshotSummary]:
        """Return the kinds of documents of a device."""
        return await self._snapshots.kinds(device, tenant_id)

    async def snapshot_versions(
        self, tenant_id: str, device: str, kind: str, *, limit: int, max_bytes: int, before_us: int
    ) -> Sequence[SnapshotVersion]:
        """Return versions of a document."""
        return await self._snapshots.versions(
            device, kind, limit=limit, max_bytes=max_bytes, before_us=before_us, tenant_id=tenant_id
        )

    async def event_position(self, tenant_id: str) -> int:
        """Return the position of the newest event."""
        return await self._positions.last_position()


def _report_of(result: WaysTest) -> ConnectionReport:
    steps = [
        TestStep(step.name, step.ok, step.duration_us, step.detail, way)
        for way, test in result.tests
        for step in test.steps
    ]
    told = result.told
    return ConnectionReport(
        result.outcome,
        result.reason,
        steps,
        told.routeros_version,
        told.board_name,
        told.identity,
        told.tls_fingerprint,
        result.serves,
    )


def _token_for(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _name_in(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Refused("page_token is not one that this server gave out; begin without a token") from None
