"""Discovery and tools as the door asks for them, made up."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import replace
from typing import Any

from mtd.api.interfaces import NeighborPage, ProposalPage
from mtd.core.errors import NotFound, Refused
from mtd.diagnostics.config import DiagnosticsConfig
from mtd.diagnostics.performing import EndReason, RunEnd
from mtd.diagnostics.plans import Wish
from mtd.diagnostics.tools import ToolRow
from mtd.discovery.errors import SubnetNotListed
from mtd.discovery.knocks import Answer
from mtd.discovery.scan import Finding, ScanReport
from mtd.model.device import DEFAULT_TENANT_ID
from mtd.model.principal import Principal
from mtd.model.sighting import FoundBy
from mtd.queries.proposals import NeighborView, ProposalView, SeenAt
from mtd.queries.records import DeviceView
from mtd.queries.runs import StoredRun
from mtd.storage.stores.device_settings import DeviceSettings

CORE_ID = "10000000-0000-4000-8000-00000000000a"
PROPOSAL = ProposalView(
    proposal_id="30000000-0000-5000-8000-00000000000b",
    state="new",
    address="192.0.2.17",
    mac_address="48:8F:5A:00:00:17",
    identity="sw-17",
    platform="MikroTik",
    version="7.16.2 (stable)",
    board="CRS326",
    software_id="AAAA-BBBB",
    interface_name="ether1",
    ports=(8728, 443),
    found_by=(FoundBy.MNDP, FoundBy.SCAN),
    first_seen_us=1_760_000_000_000_001,
    last_seen_us=1_760_000_100_000_000,
    known_device_id=CORE_ID,
    known_device_name="core-1",
    known_by="mac",
    seen_at=(SeenAt(CORE_ID, "core-1", "ether3"),),
)
NEIGHBOR = NeighborView(
    key="*1",
    seen_at=SeenAt(CORE_ID, "core-1", "ether3"),
    interface_id="*3",
    address="192.0.2.17",
    mac_address="48:8F:5A:00:00:17",
    identity="sw-17",
    platform="MikroTik",
    version="7.16.2",
    board="CRS326",
    system_description="MikroTik RouterOS 7.16.2",
    discovered_by="lldp,mndp",
    interface_name="bridge/ether1",
    neighbor_device_id="10000000-0000-4000-8000-00000000000b",
    neighbor_device_name="sw-17",
    neighbor_interface_id="*1",
    first_seen_us=1_760_000_000_000_000,
)


class FakeDiscovery:
    """One proposal and one link of the default tenant, and a scan of two addresses."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.ended = False
        self.held: ProposalView = PROPOSAL

    async def proposals(
        self, tenant_id: str, states: Collection[str], include_known: bool, page_size: int, page_token: str
    ) -> ProposalPage:
        self.asked.append((tenant_id, list(states), include_known, page_size, page_token))
        return ProposalPage([self.held] if self.held.state in states else [], "" if page_token else "more")

    async def proposal(self, tenant_id: str, proposal: str) -> ProposalView:
        if tenant_id != DEFAULT_TENANT_ID or not self.held.proposal_id.startswith(proposal):
            raise NotFound(f"there is no proposal {proposal!r}")
        return self.held

    async def adopt(
        self, tenant_id: str, proposal: ProposalView, settings: DeviceSettings, password: str, caller: str
    ) -> DeviceView:
        self.asked.append((tenant_id, proposal.proposal_id, settings, password, caller))
        return DeviceView(CORE_ID, tenant_id, settings.checked(), 1, 1, 1)

    async def ignore(self, tenant_id: str, proposal: str, caller: str, *, restore: bool) -> ProposalView:
        found = await self.proposal(tenant_id, proposal)
        self.held = replace(found, state="new" if restore else "ignored")
        return self.held

    async def scan(
        self, tenant_id: str, subnet: str, web: bool, caller: str
    ) -> AsyncGenerator[ScanReport, None]:
        self.asked.append((tenant_id, subnet, web, caller))
        if not subnet.startswith("192.0.2."):
            raise SubnetNotListed(f"{subnet} isn't listed")
        try:
            yield ScanReport(2, 1, [Finding("192.0.2.1", 8728, Answer.API)])
            yield ScanReport(2, 2, [], complete=True)
        finally:
            self.ended = True

    async def neighbors(self, tenant_id: str, device: str, page_size: int, page_token: str) -> NeighborPage:
        self.asked.append((tenant_id, device, page_size, page_token))
        return NeighborPage([NEIGHBOR], "" if page_token else "more")


class FakeTools:
    """Gives one row for each wish, or what it was told to raise."""

    def __init__(self, row: ToolRow | None = None, raises: Exception | None = None) -> None:
        self.row = row or {}
        self.raises = raises
        self.asked: list[tuple[str, str, Wish, Principal]] = []
        self.closed = 0
        self.ended: list[StoredRun] = []

    async def runs(
        self, tenant_id: str, device: str, tools: Collection[str], limit: int, before_us: int
    ) -> Sequence[StoredRun]:
        if device == "unknown":
            raise NotFound("it isn't there")
        found = [run for run in self.ended if run.ended_us < before_us and run.content["tool"] in tools]
        return found[:limit]

    async def run(
        self, tenant_id: str, device: str, wish: Wish, caller: Principal
    ) -> AsyncGenerator[Sequence[ToolRow] | RunEnd, None]:
        self.asked.append((tenant_id, device, wish, caller))
        wish.plan(DiagnosticsConfig())
        if device == "unknown":
            raise Refused("it isn't there")
        if self.raises is not None:
            raise self.raises
        try:
            yield [self.row]
            yield RunEnd(EndReason.TIME, 1, 1.5)
        finally:
            self.closed += 1
