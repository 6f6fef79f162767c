"""What the doors need from the rest of mtd. The application wires it in.

Times are microseconds since the epoch. Every method that names a device takes
its name or its id, and raises NotFound if the tenant has no such device.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from mtd.diagnostics.performing import RunEnd
from mtd.diagnostics.plans import Wish
from mtd.diagnostics.tools import ToolRow
from mtd.discovery.scan import ScanReport
from mtd.model.device import Outcome, Severity, Way
from mtd.model.layout import Layout
from mtd.model.metric import Tier
from mtd.model.polled import PolledTier
from mtd.model.principal import Principal
from mtd.queries.cache import Aged
from mtd.queries.logs import LogFilter, LogLineView
from mtd.queries.newest import NewestPage, Token
from mtd.queries.proposals import NeighborView, ProposalView
from mtd.queries.records import (
    DeviceDetail,
    DeviceView,
    EventDay,
    FleetRow,
    HealthHistory,
    InstanceName,
    InterfaceRow,
    LatestFrame,
    RangeAnswer,
    StatusCount,
    StoredEvent,
    TopEntry,
)
from mtd.queries.resolution import Resolution
from mtd.queries.runs import StoredRun
from mtd.queries.snapshots import SnapshotSummary, SnapshotVersion
from mtd.queries.state import RowFilter, TablePage, TableSummary
from mtd.queries.top import TopBy
from mtd.scheduler.costs import HourlyCost
from mtd.storage.stores.credential_sets import CredentialSet, SetSecret, SetSettings
from mtd.storage.stores.device_settings import DeviceSettings, Secrets
from mtd.storage.stores.places import Place, PlaceSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Devices in the order of their names; an empty token ends the list."""

    devices: Sequence[DeviceView]
    next_token: str = ""


@dataclass(frozen=True, slots=True)
class TestStep:
    """One step of a connection test."""

    __test__ = False  # pytest, this is no test class

    name: str
    ok: bool
    duration_us: int
    detail: str
    way: Way = Way.API


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a connection test found, of each way up to the first step that failed.

    ``serves`` is the best way that works, None if none does.
    """

    outcome: Outcome
    reason: str
    steps: Sequence[TestStep]
    routeros_version: str = ""
    board_name: str = ""
    identity: str = ""
    tls_fingerprint: str = ""
    serves: Way | None = None


@dataclass(frozen=True, slots=True)
class DeviceInterfaces:
    """The interfaces of a device, and the seconds between its polls by tier."""

    device: DeviceView
    interfaces: Sequence[InterfaceRow]
    intervals_s: Mapping[Tier, float]


@dataclass(frozen=True, slots=True)
class DeviceCost:
    """What it costs a device to be watched."""

    device_id: str
    device_name: str
    cost: HourlyCost


@dataclass(frozen=True, slots=True)
class CostPage:
    """Costs by the names of devices; an empty token ends the list."""

    devices: Sequence[DeviceCost]
    next_token: str = ""


class InventoryBackend(Protocol):
    """The inventory of a tenant. Passwords and other secrets go in and never come out."""

    async def create(
        self, tenant_id: str, settings: DeviceSettings, password: str, secrets: Secrets
    ) -> DeviceView:
        """Add a device. Raises AlreadyExists if the name is taken."""

    async def get(self, tenant_id: str, device: str) -> DeviceView:
        """Return a device."""

    async def list_page(
        self, tenant_id: str, page_size: int, page_token: str, site: str = "", group: str = ""
    ) -> DevicePage:
        """Return the devices behind a token, by name; of a site or a group, where one is given.

        Refuses a token not its own. Raises NotFound for a site or a group that isn't there.
        """

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
        """Change the settings that the mask names, the password unless it is None, and the secrets given.

        Raises Conflict if ``revision`` isn't 0 and not the device's, and
        AlreadyExists if the new name is taken.
        """

    async def delete(self, tenant_id: str, device: str) -> None:
        """Remove a device; what was observed stays."""

    async def test_device(self, tenant_id: str, device: str) -> ConnectionReport:
        """Try to reach a known device."""

    async def test_settings(
        self, tenant_id: str, settings: DeviceSettings, password: str, secrets: Secrets
    ) -> ConnectionReport:
        """Try to reach a device that isn't stored."""

    async def refresh_capabilities(self, tenant_id: str, device: str) -> DeviceView:
        """Probe a device now and return it with its capabilities."""

    async def poll_now(self, tenant_id: str, device: str, tiers: frozenset[Tier]) -> Sequence[PolledTier]:
        """Poll tiers of a device now and return what came of each, when that is stored.

        Raises SessionFailed if it has no session, and PollTooSoon.
        """

    async def interfaces(self, tenant_id: str, device: str) -> DeviceInterfaces:
        """Return the interfaces of a device, how often each is read, and why."""

    async def costs(self, tenant_id: str, device: str, page_size: int, page_token: str) -> CostPage:
        """Return what it costs a device, or all of a page, to be watched from here. Refuses a token not its own."""


class PlacesBackend(Protocol):
    """The sites of a tenant, or its groups of devices. They are named by their names or ids."""

    async def create(self, tenant_id: str, settings: PlaceSettings) -> Place:
        """Add one. Raises AlreadyExists if the name is taken."""

    async def get(self, tenant_id: str, place: str) -> Place:
        """Return one."""

    async def list(self, tenant_id: str, *, after_name: str = "", limit: int = 100) -> list[Place]:
        """Return those behind a name, by name."""

    async def update(
        self, tenant_id: str, place: str, settings: PlaceSettings, mask: Sequence[str], revision: int = 0
    ) -> Place:
        """Change what the mask names. Raises Conflict if ``revision`` isn't 0 and not the place's, and AlreadyExists."""

    async def delete(self, tenant_id: str, place: str) -> None:
        """Remove one. Raises InUse while devices are in it."""


class CredentialsBackend(Protocol):
    """The sets of credentials of a tenant, by their names or ids. Secrets go in and never come out."""

    async def create(
        self, tenant_id: str, settings: SetSettings, secrets: Mapping[str, SetSecret]
    ) -> CredentialSet:
        """Add a set. Raises AlreadyExists if its name is taken, and Refused for a reference that nobody serves."""

    async def get(self, tenant_id: str, name: str) -> CredentialSet:
        """Return a set."""

    async def list(self, tenant_id: str, *, after_name: str = "", limit: int = 100) -> list[CredentialSet]:
        """Return those behind a name, by name."""

    async def update(
        self,
        tenant_id: str,
        name: str,
        settings: SetSettings,
        mask: Sequence[str],
        secrets: Mapping[str, SetSecret],
        *,
        revision: int = 0,
    ) -> CredentialSet:
        """Change what the mask names, and the secrets that are given. Raises as ``create`` does, and Conflict."""

    async def delete(self, tenant_id: str, name: str) -> None:
        """Remove a set. Raises InUse while devices use it."""


@dataclass(frozen=True, slots=True)
class ProposalPage:
    """Proposals, those seen last first; an empty token ends the list."""

    proposals: Sequence[ProposalView]
    next_token: str = ""


@dataclass(frozen=True, slots=True)
class NeighborPage:
    """Neighbours by device and interface; an empty token ends the list."""

    neighbors: Sequence[NeighborView]
    next_token: str = ""


class DiscoveryBackend(Protocol):
    """What was found, for one tenant. Proposals are named by their ids, or the beginning of them."""

    async def proposals(
        self,
        tenant_id: str,
        states: Collection[str],
        include_known: bool,
        page_size: int,
        page_token: str,
    ) -> ProposalPage:
        """Return the proposals behind a token."""

    async def proposal(self, tenant_id: str, proposal: str) -> ProposalView:
        """Return a proposal. Raises NotFound."""

    async def adopt(
        self, tenant_id: str, proposal: ProposalView, settings: DeviceSettings, password: str, caller: str
    ) -> DeviceView:
        """Add the device of a proposal. Raises Conflict if it was adopted, AlreadyExists if the name is taken."""

    async def ignore(self, tenant_id: str, proposal: str, caller: str, *, restore: bool) -> ProposalView:
        """Hide a proposal, or show it again."""

    def scan(self, tenant_id: str, subnet: str, web: bool, caller: str) -> AsyncGenerator[ScanReport, None]:
        """Yield how far a scan is; closing it ends the scan. Raises SubnetNotListed, ScanBusy."""

    async def neighbors(self, tenant_id: str, device: str, page_size: int, page_token: str) -> NeighborPage:
        """Return the neighbours of a device, or of all, behind a token."""


class DiagnosticsBackend(Protocol):
    """Tools on the devices of a tenant."""

    def run(
        self, tenant_id: str, device: str, wish: Wish, caller: Principal
    ) -> AsyncGenerator[Sequence[ToolRow] | RunEnd, None]:
        """Yield rows, and at last the end; closing it stops the tool.

        Raises Refused, NotFound, ToolBusy, QuotaExceeded, SessionFailed, RouterRefused, CollectorUnable.
        """

    async def runs(
        self, tenant_id: str, device: str, tools: Collection[str], limit: int, before_us: int
    ) -> Sequence[StoredRun]:
        """Return runs of a device that ended before a time, the newest first."""


class TelemetryBackend(Protocol):
    """What the projections stored, for reading."""

    async def latest_all(self) -> Sequence[LatestFrame]:
        """Return the newest frames of all devices of all tenants."""

    async def names_all(self) -> Sequence[InstanceName]:
        """Return what the things of all devices of all tenants are called."""

    async def layout(self, tenant_id: str, layout_id: int) -> Layout | None:
        """Return a layout that was declared once."""

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
        """Return points of the series whose catalogue key or full key matches; all series if no pattern.

        At most ``max_points`` points per series, thinned to buckets if there are
        more. Raises TooManyQueries.
        """

    async def health(self, tenant_id: str, device: str, start_us: int, end_us: int) -> HealthHistory:
        """Return how a device was over [start, end); nothing is told of the future."""

    async def newest(
        self,
        tenant_id: str,
        devices: Sequence[str],
        metrics: Sequence[str],
        page_size: int,
        after: Token | None,
        form: Callable[[NewestPage], T],
    ) -> Aged[T]:
        """Return the newest values of series by device name and key, a page behind a token. May be kept some seconds.

        In the form that ``form`` gives them, in a thread; it is kept in that form.
        """

    async def top(
        self, tenant_id: str, by: TopBy, limit: int, window_s: int, devices: Sequence[str]
    ) -> Aged[Sequence[TopEntry]]:
        """Return interfaces, the highest first, by newest values or the mean over a window. May be kept some seconds."""

    async def status_counts(self, tenant_id: str) -> Aged[Sequence[StatusCount]]:
        """Return how many devices have each status. May be kept some seconds."""

    async def events_per_day(
        self, tenant_id: str, days: int, devices: Sequence[str]
    ) -> Aged[Sequence[EventDay]]:
        """Return the events of the last days, today included, the oldest first. May be kept some seconds."""

    async def events_after(
        self, tenant_id: str, after: int, limit: int, devices: Sequence[str], min_severity: Severity
    ) -> Sequence[StoredEvent]:
        """Return at most ``limit`` events behind a position, in order; fewer: there are no more now.

        ``devices`` are names or ids with wildcards; all devices if empty.
        """

    async def tables(self, tenant_id: str, device: str) -> Sequence[TableSummary]:
        """Return the current-state tables of a device that have rows, by name."""

    async def table_rows(
        self, tenant_id: str, device: str, table: str, wanted: RowFilter, limit: int, after: str
    ) -> TablePage:
        """Return at most ``limit`` rows of a table behind a key, by key."""

    async def snapshots(self, tenant_id: str, device: str) -> Sequence[SnapshotSummary]:
        """Return the kinds of documents that a device has, by name."""

    async def snapshot_versions(
        self, tenant_id: str, device: str, kind: str, *, limit: int, max_bytes: int, before_us: int
    ) -> Sequence[SnapshotVersion]:
        """Return at most ``limit`` versions of a document from before a time, the newest first."""

    async def event_position(self, tenant_id: str) -> int:
        """Return a position that no stored event is behind, and every future one will be."""


class ConsoleBackend(Protocol):
    """What the browser console reads beside values and newer events. Devices are named by their ids."""

    async def fleet(self, tenant_id: str) -> Sequence[FleetRow]:
        """Return all devices as a list shows them."""

    async def device(self, tenant_id: str, device_id: str) -> DeviceDetail:
        """Return a device with all that is known of it."""

    async def events_before(
        self, tenant_id: str, before: int | None, limit: int, device_id: str | None = None
    ) -> Sequence[StoredEvent]:
        """Return at most ``limit`` events before a position, newest first; the newest if it is None."""

    async def history(
        self,
        tenant_id: str,
        device_id: str,
        metrics: Sequence[str],
        start_us: int,
        end_us: int,
        max_points: int,
    ) -> RangeAnswer:
        """Return points as `TelemetryBackend.query_range` does, of fewer series."""

    async def health(self, tenant_id: str, device_id: str, start_us: int, end_us: int) -> HealthHistory:
        """Return how a device was over time, over [start, end)."""

    async def log_lines(
        self, tenant_id: str, wanted: LogFilter, after: str, limit: int
    ) -> Sequence[LogLineView]:
        """Return at most ``limit`` lines of routers' logs behind a token, newest first."""


@dataclass(frozen=True, slots=True)
class ReadyCheck:
    """Whether one part of mtd does its work, and if not, why."""

    name: str
    ready: bool
    reason: str = ""


class Readiness(Protocol):
    """Tells whether the process does its work. Asked often: looks at memory only."""

    def checks(self) -> Sequence[ReadyCheck]:
        """Return the state of each part."""
