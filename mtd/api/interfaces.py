"""What the doors need from the rest of mtd. The application wires it in.

Times are microseconds since the epoch. Every method that names a device takes
its name or its id, and raises NotFound if the tenant has no such device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mtd.model.device import Outcome, Severity
from mtd.model.layout import Layout
from mtd.queries.records import DeviceView, InstanceName, LatestFrame, RangeAnswer, StoredEvent
from mtd.storage.stores.devices import DeviceSettings


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


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a connection test found, up to the first step that failed."""

    outcome: Outcome
    reason: str
    steps: Sequence[TestStep]
    routeros_version: str = ""
    board_name: str = ""
    identity: str = ""
    tls_fingerprint: str = ""


class InventoryBackend(Protocol):
    """The inventory of a tenant. Passwords go in and never come out."""

    async def create(self, tenant_id: str, settings: DeviceSettings, password: str) -> DeviceView:
        """Add a device. Raises AlreadyExists if the name is taken."""

    async def get(self, tenant_id: str, device: str) -> DeviceView:
        """Return a device."""

    async def list_page(self, tenant_id: str, page_size: int, page_token: str) -> DevicePage:
        """Return the devices behind a token, in the order of their names. Refuses a token not its own."""

    async def update(
        self,
        tenant_id: str,
        device: str,
        settings: DeviceSettings,
        mask: Sequence[str],
        password: str | None,
        revision: int,
    ) -> DeviceView:
        """Change the settings that the mask names, and the password unless it is None.

        Raises Conflict if ``revision`` isn't 0 and not the device's, and
        AlreadyExists if the new name is taken.
        """

    async def delete(self, tenant_id: str, device: str) -> None:
        """Remove a device; what was observed stays."""

    async def test_device(self, tenant_id: str, device: str) -> ConnectionReport:
        """Try to reach a known device."""

    async def test_settings(
        self, tenant_id: str, settings: DeviceSettings, password: str
    ) -> ConnectionReport:
        """Try to reach a device that isn't stored."""

    async def refresh_capabilities(self, tenant_id: str, device: str) -> DeviceView:
        """Probe a device now and return it with its capabilities."""


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
    ) -> RangeAnswer:
        """Return points of the series whose catalogue key or full key matches; all series if no pattern.

        At most ``max_points`` points per series, thinned to buckets if there are more.
        """

    async def events_after(
        self, tenant_id: str, after: int, limit: int, devices: Sequence[str], min_severity: Severity
    ) -> Sequence[StoredEvent]:
        """Return at most ``limit`` events behind a position, in order; fewer: there are no more now.

        ``devices`` are names or ids with wildcards; all devices if empty.
        """

    async def event_position(self, tenant_id: str) -> int:
        """Return a position that no stored event is behind, and every future one will be."""


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
