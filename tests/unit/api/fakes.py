"""Backends of the doors in memory, held to the signatures of the real ones."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from mtd.api.access.gate import Gate
from mtd.api.access.logged import LoggedAudit
from mtd.api.config import GrpcConfig
from mtd.api.grpc.event_feed import EventFeeds
from mtd.api.grpc.globs import Globs
from mtd.api.grpc.places import DeviceGroupServicer, SiteServicer
from mtd.api.grpc.server import ApiContext, ServicePart
from mtd.api.grpc.stream_hub import StreamHub
from mtd.api.interfaces import (
    ConnectionReport,
    CostPage,
    DeviceCost,
    DeviceInterfaces,
    DevicePage,
    ReadyCheck,
    TestStep,
)
from mtd.core.errors import AlreadyExists, Conflict, NotFound
from mtd.model.catalogue import Catalogue
from mtd.model.device import DEFAULT_TENANT_ID, Device, DeviceStatus, InterfaceNaming, Outcome, Severity
from mtd.model.events import Origin, frame_event, layout_event, state_event, table_event
from mtd.model.labels import LabelSource
from mtd.model.layout import Layout, Series
from mtd.model.metric import DEFAULT_INTERVAL_S, Kind, Lane, Metric, Tier, Unit
from mtd.model.observation import FrameValues, KeyRange, StateChange, TableChange
from mtd.model.polled import PolledTier
from mtd.pb.events.v1.envelope_pb2 import Envelope
from mtd.pb.inventory.v1.device_group_service_pb2_grpc import add_DeviceGroupServiceServicer_to_server
from mtd.pb.inventory.v1.site_service_pb2_grpc import add_SiteServiceServicer_to_server
from mtd.queries.cache import Aged
from mtd.queries.newest import NewestPage, Token
from mtd.queries.records import (
    DeviceView,
    EventDay,
    HealthHistory,
    HealthSegment,
    InstanceName,
    InterfaceRow,
    LatestFrame,
    RangeAnswer,
    StatusCount,
    StoredEvent,
    TopEntry,
)
from mtd.queries.resolution import Resolution
from mtd.queries.snapshots import SnapshotSummary, SnapshotVersion
from mtd.queries.state import RowFilter, TablePage, TableRow, TableSummary
from mtd.queries.top import TopBy
from mtd.scheduler.costs import HourlyCost
from mtd.storage.stores.device_settings import DeviceSettings, Secrets
from mtd.storage.stores.requests import StoredRequest
from tests.unit.api.finding_fakes import FakeDiscovery, FakeTools
from tests.unit.api.place_fakes import FakePlaces
from tests.unit.api.poll_fakes import polled

T = TypeVar("T")

TENANT = DEFAULT_TENANT_ID
OTHER_TENANT = "00000000-0000-4000-8000-00000000000f"

METRICS = (
    Metric(
        "system.cpu.load_pct",
        Unit.PERCENT,
        Kind.GAUGE,
        Tier.T0,
        "CPU load.",
        "1",
        expected_min=0,
        expected_max=100,
    ),
    Metric("iface.rx_bytes_total", Unit.BYTES, Kind.COUNTER, Tier.T0, "Bytes in.", "1", scope="iface"),
    Metric("iface.tx_bytes_total", Unit.BYTES, Kind.COUNTER, Tier.T0, "Bytes out.", "1", scope="iface"),
    Metric("iface.rx_bps", Unit.BITS_PER_SECOND, Kind.RATE, Tier.T0, "Bits in.", "1", scope="iface"),
    Metric(
        "iface.oper_state",
        Unit.STATE,
        Kind.STATE,
        Tier.T0,
        "Link.",
        "1",
        scope="iface",
        states={"down": 0, "up": 1},
    ),
)
INTERFACE = LabelSource("iface", "interface")
CATALOGUE = Catalogue.assemble([("fake", METRICS)], [INTERFACE])

LAYOUT = Layout.of(
    "t0",
    (
        Series("system.cpu.load_pct", "", Lane.GAUGE),
        *(
            Series(key, instance, lane)
            for instance in ("*1", "*2")
            for key, lane in (
                ("iface.rx_bytes_total", Lane.COUNTER),
                ("iface.tx_bytes_total", Lane.COUNTER),
                ("iface.rx_bps", Lane.RATE),
                ("iface.oper_state", Lane.GAUGE),
            )
        ),
    ),
)


def assert_same_signatures(port: type, implementation: type) -> None:
    """Fail unless a class has each method of a protocol, with the same parameters and kind."""
    for name, promised in vars(port).items():
        if name.startswith("_") or not inspect.isfunction(promised):
            continue
        given = getattr(implementation, name, None)
        assert given is not None, f"{implementation.__name__} lacks {name}"
        assert inspect.iscoroutinefunction(given) == inspect.iscoroutinefunction(promised), name
        assert inspect.signature(given) == inspect.signature(promised), f"{implementation.__name__}.{name}"


def origin(device_id: str, tenant_id: str = TENANT) -> Origin:
    return Origin(tenant_id, "collector", device_id)


def declared(layout: Layout = LAYOUT, *, device_id: str = "d1", tenant_id: str = TENANT) -> Envelope:
    return layout_event(origin(device_id, tenant_id), layout, 1, 1)


def frame(
    at_us: int,
    *,
    device_id: str = "d1",
    tenant_id: str = TENANT,
    layout: Layout = LAYOUT,
    counters: Sequence[int | None] = (10, 20, 30, 40),
    gauges: Sequence[float] = (7.0, 1.0, 0.0),
    rates: Sequence[float] = (800.0, 1600.0),
) -> Envelope:
    values = FrameValues(layout, at_us, counters, gauges, rates)
    return frame_event(origin(device_id, tenant_id), values, at_us + 5)


def interfaces(
    rows: Mapping[str, Mapping[str, str]],
    *,
    device_id: str = "d1",
    complete: bool = True,
    removed: Sequence[str] = (),
    within: KeyRange | None = None,
) -> Envelope:
    change = TableChange("interface", complete and within is None, rows, removed, within)
    return table_event(origin(device_id), change, 1, 1)


def link_change(at_us: int, device_id: str = "d1", tenant_id: str = TENANT) -> Envelope:
    change = StateChange(
        "interface.oper.changed",
        Severity.WARNING,
        "interface",
        "*1",
        "ether1",
        "running",
        "true",
        "false",
        "ether1 down",
    )
    return state_event(origin(device_id, tenant_id), change, at_us, at_us)


def numbered(*envelopes: Envelope) -> list[tuple[int, Envelope]]:
    return list(enumerate(envelopes, 1))


def device(device_id: str = "d1", name: str = "r1", naming: InterfaceNaming = InterfaceNaming.NAME) -> Device:
    return Device(device_id, TENANT, name, "192.0.2.1", 8728, "mtd", "secret", naming=naming)


def event(position: int, *, device_id: str = "d1", severity: Severity = Severity.INFO) -> StoredEvent:
    return StoredEvent(
        position, position * 1000, device_id, f"name-{device_id}", "interface.oper.changed", severity,
        "interface", "*1", "ether1", "running", "true", "false", f"event {position}",
    )  # fmt: skip


class FakeTelemetry:
    """Stored telemetry in lists. ``delay_s`` lets others run in the middle of a read."""

    def __init__(self) -> None:
        self.latest: list[LatestFrame] = []
        self.names: list[InstanceName] = []
        self.layouts: dict[tuple[str, int], Layout] = {}
        self.events: list[StoredEvent] = []
        self.answer = RangeAnswer((), 0)
        self.segments: list[HealthSegment] = []
        self.page = NewestPage([], None)
        self.entries: list[TopEntry] = []
        self.state: dict[str, list[TableRow]] = {}
        self.documents: dict[str, list[SnapshotVersion]] = {}
        self.asked_rows: list[tuple[str, str, RowFilter, int, str]] = []
        self.asked: list[tuple[Any, ...]] = []
        self.reads = 0
        self.failures: list[Exception] = []
        self.delay_s = 0.0

    async def latest_all(self) -> Sequence[LatestFrame]:
        return self.latest

    async def names_all(self) -> Sequence[InstanceName]:
        return self.names

    async def layout(self, tenant_id: str, layout_id: int) -> Layout | None:
        await self._touch()
        return self.layouts.get((tenant_id, layout_id))

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
        await self._touch()
        self.asked.append((tenant_id, device, tuple(metrics), start_us, end_us, max_points, resolution))
        return self.answer

    async def health(self, tenant_id: str, device: str, start_us: int, end_us: int) -> HealthHistory:
        await self._touch()
        self.asked.append((tenant_id, device, start_us, end_us))
        return HealthHistory(start_us, end_us, self.segments, ())

    async def newest(
        self,
        tenant_id: str,
        devices: Sequence[str],
        metrics: Sequence[str],
        page_size: int,
        after: Token | None,
        form: Callable[[NewestPage], T],
    ) -> Aged[T]:
        await self._touch()
        self.asked.append((tenant_id, tuple(devices), tuple(metrics), page_size, after))
        return Aged(await asyncio.to_thread(form, self.page), 1.5)

    async def top(
        self, tenant_id: str, by: TopBy, limit: int, window_s: int, devices: Sequence[str]
    ) -> Aged[Sequence[TopEntry]]:
        await self._touch()
        self.asked.append((tenant_id, by, limit, window_s, tuple(devices)))
        return Aged(self.entries[:limit], 2.0)

    async def status_counts(self, tenant_id: str) -> Aged[Sequence[StatusCount]]:
        await self._touch()
        return Aged([StatusCount(status, len(status.value)) for status in DeviceStatus], 0.0)

    async def events_per_day(
        self, tenant_id: str, days: int, devices: Sequence[str]
    ) -> Aged[Sequence[EventDay]]:
        await self._touch()
        self.asked.append((tenant_id, days, tuple(devices)))
        return Aged([EventDay("2026-11-26", 3, 2, 1)], 0.25)

    async def events_after(
        self, tenant_id: str, after: int, limit: int, devices: Sequence[str], min_severity: Severity
    ) -> Sequence[StoredEvent]:
        ranks = list(Severity)
        matching = Globs(devices)
        found = [
            stored
            for stored in self.events
            if stored.position > after
            and ranks.index(stored.severity) >= ranks.index(min_severity)
            and matching.matches(stored.device_name, stored.device_id)
        ][:limit]
        await self._touch()
        return found

    async def tables(self, tenant_id: str, device: str) -> Sequence[TableSummary]:
        await self._touch()
        return [TableSummary(name, len(rows), 1) for name, rows in sorted(self.state.items())]

    async def table_rows(
        self, tenant_id: str, device: str, table: str, wanted: RowFilter, limit: int, after: str
    ) -> TablePage:
        await self._touch()
        self.asked_rows.append((device, table, wanted, limit, after))
        rows = [row for row in self.state.get(table, ()) if row.key > after]
        more = len(rows) > limit
        return TablePage(rows[:limit], rows[limit - 1].key if more else "", len(self.state.get(table, ())))

    async def snapshots(self, tenant_id: str, device: str) -> Sequence[SnapshotSummary]:
        await self._touch()
        return [
            SnapshotSummary(kind, len(found), found[0].collected_us, found[0].sha256, len(found[0].content))
            for kind, found in sorted(self.documents.items())
        ]

    async def snapshot_versions(
        self, tenant_id: str, device: str, kind: str, *, limit: int, max_bytes: int, before_us: int
    ) -> Sequence[SnapshotVersion]:
        await self._touch()
        found = [one for one in self.documents.get(kind, ()) if one.collected_us < before_us]
        return found[:limit]

    async def event_position(self, tenant_id: str) -> int:
        position = self.events[-1].position if self.events else 0
        await self._touch()
        return position

    async def _touch(self) -> None:
        self.reads += 1
        if self.failures:
            raise self.failures.pop(0)
        await asyncio.sleep(self.delay_s)


class FakeRequests:
    """Request ids in a dictionary."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], StoredRequest] = {}

    async def claim(
        self, tenant_id: str, request_id: str, method: str, digest: bytes
    ) -> StoredRequest | None:
        earlier = self.known.get((tenant_id, request_id))
        if earlier is None:
            self.known[tenant_id, request_id] = StoredRequest(method, digest, False, None)
        return earlier

    async def keep(self, tenant_id: str, request_id: str, answer: bytes | None) -> None:
        known = self.known[tenant_id, request_id]
        self.known[tenant_id, request_id] = replace(known, done=True, answer=answer)

    async def release(self, tenant_id: str, request_id: str) -> None:
        del self.known[tenant_id, request_id]


class FakeInventory:
    """Devices in a dictionary."""

    def __init__(self) -> None:
        self.devices: dict[str, DeviceView] = {}
        self.ports: list[InterfaceRow] = []
        self.costing: dict[str, HourlyCost] = {}  # by the name of a device
        self.passwords: dict[str, str] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.tested: list[tuple[str, str]] = []
        self.polled: list[tuple[str, frozenset[Tier]]] = []
        self.hang = False
        self.error: Exception | None = None
        self._ids = itertools.count(1)

    async def create(
        self, tenant_id: str, settings: DeviceSettings, password: str, secrets: Secrets
    ) -> DeviceView:
        if any(view.settings.name == settings.name for view in self.devices.values()):
            raise AlreadyExists(f"there is a device {settings.name!r} already")
        device_id = f"00000000-0000-4000-9000-{next(self._ids):012}"
        view = DeviceView(device_id, tenant_id, settings.checked(), 1, 1_000_001, 1_000_001)
        self.devices[device_id], self.passwords[device_id] = view, password
        self.secrets[device_id] = dict(secrets)
        return view

    async def get(self, tenant_id: str, device: str) -> DeviceView:
        if self.error is not None:
            raise self.error
        if self.hang:
            await asyncio.Event().wait()
        return self._find(tenant_id, device)

    async def interfaces(self, tenant_id: str, device: str) -> DeviceInterfaces:
        return DeviceInterfaces(self._find(tenant_id, device), self.ports, DEFAULT_INTERVAL_S)

    async def costs(self, tenant_id: str, device: str, page_size: int, page_token: str) -> CostPage:
        if device and device not in self.costing:
            raise NotFound(f"there is no device {device!r}")
        names = [device] if device else [name for name in sorted(self.costing) if name > page_token]
        page = [DeviceCost(f"id-{name}", name, self.costing[name]) for name in names[:page_size]]
        return CostPage(page, names[page_size - 1] if len(names) > page_size else "")

    async def list_page(
        self, tenant_id: str, page_size: int, page_token: str, site: str = "", group: str = ""
    ) -> DevicePage:
        views = sorted(self.devices.values(), key=lambda view: view.settings.name)
        views = [view for view in views if not site or view.settings.site == site]
        views = [view for view in views if not group or group in view.settings.groups]
        behind = [view for view in views if view.settings.name > page_token]
        page = behind[:page_size]
        return DevicePage(page, page[-1].settings.name if len(behind) > page_size else "")

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
        before = self._find(tenant_id, device)
        if revision and revision != before.revision:
            raise Conflict(f"it is at revision {before.revision}, not {revision}")
        changed = replace(before.settings, **{name: getattr(settings, name) for name in mask}).checked()
        after = replace(before, settings=changed, revision=before.revision + 1)
        self.devices[before.device_id] = after
        if password is not None:
            self.passwords[before.device_id] = password
        self.secrets.setdefault(before.device_id, {}).update(secrets)
        return after

    async def delete(self, tenant_id: str, device: str) -> None:
        del self.devices[self._find(tenant_id, device).device_id]

    async def test_device(self, tenant_id: str, device: str) -> ConnectionReport:
        view = self._find(tenant_id, device)
        return await self.test_settings(tenant_id, view.settings, self.passwords[view.device_id], {})

    async def test_settings(
        self, tenant_id: str, settings: DeviceSettings, password: str, secrets: Secrets
    ) -> ConnectionReport:
        self.tested.append((settings.host, password))
        steps = (TestStep("resolve", True, 10, "192.0.2.1"), TestStep("connect", False, 20, "refused"))
        return ConnectionReport(Outcome.REFUSED, "nothing listens there", steps)

    async def refresh_capabilities(self, tenant_id: str, device: str) -> DeviceView:
        view = self._find(tenant_id, device)
        return replace(
            view,
            status=DeviceStatus.UP,
            last_seen_us=2_000_002,
            capabilities={"wifi": "wifi-qcom"},
            identity="R",
        )

    async def poll_now(self, tenant_id: str, device: str, tiers: frozenset[Tier]) -> Sequence[PolledTier]:
        view = self._find(tenant_id, device)
        if self.error is not None:
            raise self.error
        self.polled.append((view.settings.name, tiers))
        return polled(tiers)

    def _find(self, tenant_id: str, device: str) -> DeviceView:
        for view in self.devices.values():
            if view.tenant_id == tenant_id and device in (view.device_id, view.settings.name):
                return view
        raise NotFound(f"there is no device {device!r}")


class FakeReadiness:
    """Says what it is told to say."""

    def __init__(self, *given: ReadyCheck) -> None:
        self.given = given

    def checks(self) -> Sequence[ReadyCheck]:
        return self.given


def context(
    telemetry: FakeTelemetry,
    inventory: FakeInventory | None = None,
    discovery: FakeDiscovery | None = None,
    tools: FakeTools | None = None,
    **settings: Any,
) -> ApiContext:
    """Return what a server needs, on a free port."""
    config = GrpcConfig(**{"port": 0, "stop_grace_s": 0.2, "event_read_interval_s": 0.0} | settings)
    feeds = EventFeeds(telemetry, config)
    hub = StreamHub(telemetry, CATALOGUE, config, on_events=feeds.wake)
    return ApiContext(
        inventory or FakeInventory(),
        discovery or FakeDiscovery(),
        tools or FakeTools(),
        telemetry,
        CATALOGUE,
        hub,
        feeds,
        config,
        Gate(trust_loopback=True),
        LoggedAudit(),
        FakeRequests(),
        b"key of page tokens",
        parts=[
            ServicePart(add_SiteServiceServicer_to_server, SiteServicer(FakePlaces())),
            ServicePart(add_DeviceGroupServiceServicer_to_server, DeviceGroupServicer(FakePlaces())),
        ],
    )
