"""Behind the door of discovery: proposals and links in PostgreSQL, and the scanner of this daemon."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncGenerator, Collection
from typing import TYPE_CHECKING

from mtd.api.interfaces import NeighborPage, ProposalPage
from mtd.app.tools import Diagnostics
from mtd.core.errors import Conflict, Refused
from mtd.diagnostics.limits import TenantLimit, no_limit
from mtd.diagnostics.runner import Elsewhere, ToolRunner, nowhere_else
from mtd.discovery.service import DiscoveryService
from mtd.model.credentials import Purpose
from mtd.model.device import Severity
from mtd.model.observation import StateChange
from mtd.queries.devices import DeviceQueries, view_of_new
from mtd.queries.proposals import ADOPTED, NeighborQueries, ProposalQueries, ProposalView
from mtd.storage.stores.proposals import DecisionStore

if TYPE_CHECKING:
    from mtd.app.config import Settings
    from mtd.discovery.scan import Scanner, ScanReport
    from mtd.ingest.recorder import Recorder
    from mtd.queries.records import DeviceView
    from mtd.storage.pool import Database
    from mtd.storage.stores.device_settings import DeviceSettings
    from mtd.storage.stores.devices import DeviceStore
    from mtd.storage.stores.polled import PolledDevices


class Discovery:
    """See `DiscoveryBackend`. What operators decide goes on the timeline."""

    def __init__(
        self,
        database: Database,
        devices: DeviceStore,
        decisions: DecisionStore,
        scanner: Scanner,
        recorder: Recorder,
    ) -> None:
        self._proposals = ProposalQueries(database)
        self._neighbors = NeighborQueries(database)
        self._known = DeviceQueries(database)
        self._devices = devices
        self._decisions = decisions
        self._scanner = scanner
        self._recorder = recorder

    async def proposals(
        self,
        tenant_id: str,
        states: Collection[str],
        include_known: bool,
        page_size: int,
        page_token: str,
    ) -> ProposalPage:
        """Return the proposals behind a token, which holds how many came before."""
        offset = _offset_in(page_token)
        found = await self._proposals.list(
            tenant_id, states=states, include_known=include_known, offset=offset, limit=page_size + 1
        )
        return ProposalPage(found[:page_size], _token_for(offset + page_size, more=len(found) > page_size))

    async def proposal(self, tenant_id: str, proposal: str) -> ProposalView:
        """Return a proposal."""
        return await self._proposals.get(proposal, tenant_id)

    async def adopt(
        self, tenant_id: str, proposal: ProposalView, settings: DeviceSettings, password: str, caller: str
    ) -> DeviceView:
        """Add the device of a proposal."""
        if proposal.state == ADOPTED:
            raise Conflict(f"it was adopted already, as {proposal.known_device_name!r}")
        record = await self._devices.create(settings, password, tenant_id)
        # If this fails the device is there all the same, and known by its address.
        await self._decisions.adopt(tenant_id, proposal.proposal_id, record.device_id)
        self._tell(
            tenant_id, "proposal.adopted", proposal, "adopted", f"{caller} adopted it as {settings.name}"
        )
        if settings.site or settings.groups:
            return await self._known.get(record.device_id, tenant_id)
        return view_of_new(record)

    async def ignore(self, tenant_id: str, proposal: str, caller: str, *, restore: bool) -> ProposalView:
        """Hide a proposal, or show it again."""
        found = await self._proposals.get(proposal, tenant_id)
        if found.state == ADOPTED:
            raise Conflict(f"it was adopted, as {found.known_device_name!r}: remove that device instead")
        if restore:
            await self._decisions.restore(tenant_id, found.proposal_id)
            self._tell(tenant_id, "proposal.restored", found, "new", f"{caller} wants to see it again")
        else:
            await self._decisions.ignore(tenant_id, found.proposal_id)
            self._tell(tenant_id, "proposal.ignored", found, "ignored", f"{caller} doesn't want it")
        return await self._proposals.get(found.proposal_id, tenant_id)

    def scan(self, tenant_id: str, subnet: str, web: bool, caller: str) -> AsyncGenerator[ScanReport, None]:
        """Yield how far a scan is."""
        return self._scanner.scan(tenant_id, subnet, caller, web=web)

    async def neighbors(self, tenant_id: str, device: str, page_size: int, page_token: str) -> NeighborPage:
        """Return the neighbours behind a token."""
        offset = _offset_in(page_token)
        device_id = (await self._known.get(device, tenant_id)).device_id if device else None
        found = await self._neighbors.list(tenant_id, device_id=device_id, offset=offset, limit=page_size + 1)
        return NeighborPage(found[:page_size], _token_for(offset + page_size, more=len(found) > page_size))

    def _tell(self, tenant_id: str, event_type: str, proposal: ProposalView, new: str, message: str) -> None:
        label = proposal.identity or proposal.address or proposal.mac_address
        change = StateChange(
            event_type=event_type,
            severity=Severity.INFO,
            entity_type="proposal",
            entity_id=proposal.proposal_id,
            entity_label=label,
            field="state",
            old=proposal.state,
            new=new,
            message=f"proposal {label}: {message}",
        )
        self._recorder.record_event_of(tenant_id, change)


def _token_for(offset: int, *, more: bool) -> str:
    return base64.urlsafe_b64encode(b"%d" % offset).decode() if more else ""


def _offset_in(token: str) -> int:
    if not token:
        return 0
    try:
        offset = int(base64.urlsafe_b64decode(token.encode()))
    except (binascii.Error, ValueError):
        offset = -1
    if not 0 <= offset < 2**31:
        raise Refused("page_token is not one that this server gave out; begin without a token")
    return offset


class Finding:
    """What finds devices and looks into them, joined: it is made before the doors, and begins once events are taken."""

    def __init__(
        self,
        settings: Settings,
        readers: Database,
        database: Database,
        devices: DeviceStore,
        recorder: Recorder,
        polled: PolledDevices,
        tenant_limit: TenantLimit = no_limit,
        elsewhere: Elsewhere = nowhere_else,
    ) -> None:
        self._service = DiscoveryService(
            settings.discovery, settings.ingest.own_tenant_id, recorder, DecisionStore(database)
        )
        self.discovery = Discovery(readers, devices, DecisionStore(readers), self._service.scanner, recorder)
        runner = ToolRunner(
            lambda tenant_id, device: polled.polled(device, tenant_id, Purpose.DIAGNOSTICS),
            recorder,
            settings.diagnostics,
            settings.routeros_api,
            tenant_limit=tenant_limit,
            elsewhere=elsewhere,
        )
        self.tools = Diagnostics(runner, readers, database, settings.diagnostics)
        self.seen = self._service.seen
        """Takes what others saw that looks like a router."""

    async def start(self) -> None:
        """Begin. Raises Misconfigured if the port of announcements can't be had."""
        await self._service.start()
        self.tools.start()

    async def stop(self) -> None:
        """End what is under way."""
        await self.tools.stop()
        await self._service.stop()
