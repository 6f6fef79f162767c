"""PollingService: who polls what, and what operators say of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, cast

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.access.current import principal, tenant_id
from mtd.api.grpc.admin.common import page_size_of
from mtd.api.grpc.server import ServicePart
from mtd.api.grpc.types import Context
from mtd.core.errors import Refused
from mtd.model.poller import PolledBy, Poller, PollerChange, PollerReport
from mtd.pb.admin.v1 import polling_service_pb2 as pb
from mtd.pb.admin.v1.polling_service_pb2_grpc import (
    PollingServiceServicer,
    add_PollingServiceServicer_to_server,
)

_CHANGEABLE = ("draining", "weight", "sites", "sites_only", "canary_percent", "canary_group")
_HEAVIEST = 1000.0
_MOST_PLACED = 1000
_MOST_REDUNDANT = 2
_PLACE = "\n"  # between a device's name and a slot in the place where a page begins: no name has it


class PollingBackend(Protocol):
    """Knows who polls. Raises NotFound for a poller, a device or a site that the tenant doesn't have."""

    async def list(self, tenant_id: str, after_name: str, limit: int) -> Sequence[Poller]:
        """Return pollers by name, at most ``limit`` behind a name."""

    async def get(self, tenant_id: str, poller: str) -> Poller:
        """Return a poller by its name or id."""

    async def update(self, tenant_id: str, poller: str, change: PollerChange, *, across: bool) -> Poller:
        """Change what is said of a poller. Raises Forbidden."""

    async def release(self, tenant_id: str, poller: str, *, across: bool) -> int:
        """Let others have what a poller had alone; return how many devices. Raises Refused while it takes part."""

    async def held(
        self, tenant_id: str, poller: str, after: tuple[str, int], limit: int
    ) -> Sequence[PolledBy]:
        """Return who polls what, at most ``limit`` behind a device's name and a slot."""

    async def place_devices(
        self, tenant_id: str, devices: Sequence[str], poller: str | None, redundancy: int | None
    ) -> int:
        """Say who polls devices, and how many of them; return how many were changed."""

    async def place_sites(self, tenant_id: str, sites: Sequence[str], redundancy: int) -> int:
        """Say how many poll the devices of sites; return how many were changed."""


def polling_parts(backend: PollingBackend) -> list[ServicePart]:
    """Return the service."""
    return [ServicePart(add_PollingServiceServicer_to_server, PollingServicer(backend))]


class PollingServicer(PollingServiceServicer):
    """Asks the backend for the caller's tenant."""

    def __init__(self, backend: PollingBackend) -> None:
        self._backend = backend

    async def ListPollers(self, request: pb.ListPollersRequest, context: Context) -> pb.ListPollersResponse:
        """Read a page of the pollers."""
        size = page_size_of(request.page_size)
        found = list(await self._backend.list(tenant_id(), request.page_token, size + 1))
        page = found[:size]
        return pb.ListPollersResponse(
            pollers=map(poller_message, page), next_page_token=page[-1].name if len(found) > size else ""
        )

    async def GetPoller(self, request: pb.GetPollerRequest, context: Context) -> pb.GetPollerResponse:
        """Read a poller."""
        found = await self._backend.get(tenant_id(), _named(request.poller))
        return pb.GetPollerResponse(poller=poller_message(found))

    async def UpdatePoller(
        self, request: pb.UpdatePollerRequest, context: Context
    ) -> pb.UpdatePollerResponse:
        """Change what is said of a poller."""
        found = await self._backend.update(
            tenant_id(),
            _named(request.poller),
            change_of(request.settings, request.update_mask.paths),
            across=principal().crosses_tenants,
        )
        return pb.UpdatePollerResponse(poller=poller_message(found))

    async def ReleasePoller(
        self, request: pb.ReleasePollerRequest, context: Context
    ) -> pb.ReleasePollerResponse:
        """Let others have what a poller had alone."""
        count = await self._backend.release(
            tenant_id(), _named(request.poller), across=principal().crosses_tenants
        )
        return pb.ReleasePollerResponse(devices=count)

    async def PlaceDevices(
        self, request: pb.PlaceDevicesRequest, context: Context
    ) -> pb.PlaceDevicesResponse:
        """Say who polls devices, and how many."""
        if len(request.devices) + len(request.sites) > _MOST_PLACED:
            raise Refused(f"devices: at most {_MOST_PLACED} devices and sites at a time")
        if not request.devices and not request.sites:
            raise Refused("devices: name devices or sites")
        poller = request.poller if request.HasField("poller") else None
        redundancy = request.redundancy if request.HasField("redundancy") else None
        if redundancy is not None and redundancy > _MOST_REDUNDANT:
            raise Refused(f"redundancy: {redundancy} is too many, {_MOST_REDUNDANT} is the most")
        if request.sites and (redundancy is None or poller is not None):
            raise Refused("sites: give a redundancy, and no poller: collectors name their sites themselves")
        if poller is None and redundancy is None:
            raise Refused("poller: give a poller or a redundancy")
        devices = sites = 0
        if request.devices:
            devices = await self._backend.place_devices(tenant_id(), request.devices, poller, redundancy)
        if request.sites and redundancy is not None:
            sites = await self._backend.place_sites(tenant_id(), request.sites, redundancy)
        return pb.PlaceDevicesResponse(devices=devices, sites=sites)

    async def ListAssignments(
        self, request: pb.ListAssignmentsRequest, context: Context
    ) -> pb.ListAssignmentsResponse:
        """Read a page of who polls what."""
        size = page_size_of(request.page_size)
        name, _, slot = request.page_token.partition(_PLACE)
        after = (name, int(slot)) if slot else ("", -1)
        found = list(await self._backend.held(tenant_id(), request.poller, after, size + 1))
        page = found[:size]
        more = f"{page[-1].device}{_PLACE}{page[-1].slot}" if len(found) > size else ""
        return pb.ListAssignmentsResponse(assignments=map(_assignment, page), next_page_token=more)


def change_of(settings: pb.PollerSettings, mask: Sequence[str]) -> PollerChange:
    """Return what is to be changed. Raises Refused."""
    unknown = sorted(set(mask).difference(_CHANGEABLE))
    if unknown or not mask:
        named = f"{unknown[0]} can't be changed; " if unknown else ""
        raise Refused(f"update_mask: {named}name some of {', '.join(_CHANGEABLE)}")
    if "weight" in mask and not (math.isfinite(settings.weight) and 0 < settings.weight <= _HEAVIEST):
        raise Refused(f"weight: {settings.weight:g} isn't above 0 and at most {_HEAVIEST:g}")
    percent = settings.canary_percent if settings.HasField("canary_percent") else None
    if percent is not None and percent > 100:
        raise Refused(f"canary_percent: {percent} is more than 100")
    return PollerChange(
        draining=settings.draining if "draining" in mask else None,
        weight=settings.weight if "weight" in mask else None,
        sites=tuple(settings.sites) if "sites" in mask else None,
        sites_only=settings.sites_only if "sites_only" in mask else None,
        canary_percent=(percent,) if "canary_percent" in mask else None,
        canary_group=settings.canary_group if "canary_group" in mask else None,
    )


def poller_message(one: Poller) -> pb.Poller:
    """Return a poller as the protocol shows it."""
    return pb.Poller(
        id=one.poller_id,
        name=one.name,
        edge=one.edge,
        state=cast("pb.PollerState", pb.PollerState.Value(f"POLLER_STATE_{one.state.upper()}")),
        state_time=None if one.since_us is None else _timestamp(one.since_us),
        version=one.version,
        devices=one.devices,
        exclusive_devices=one.exclusive,
        lease_left_s=one.lease_left_s,
        draining=one.draining,
        weight=one.weight,
        sites=one.sites,
        sites_only=one.sites_only,
        canary_percent=one.canary_percent,
        canary_group=one.canary_group,
        report=None if one.report is None else _report(one.report),
    )


def _report(report: PollerReport) -> pb.PollerReport:
    return pb.PollerReport(
        report_time=_timestamp(report.heard_us),
        buffer_events=report.buffer_events,
        buffer_bytes=report.buffer_bytes,
        last_push_time=None if report.last_push_us is None else _timestamp(report.last_push_us),
        clock_ahead_s=report.clock_ahead_s,
        pressure=report.pressure,
    )


def _assignment(one: PolledBy) -> pb.Assignment:
    return pb.Assignment(
        device_id=one.device_id,
        device=one.device,
        poller_id=one.poller_id,
        poller=one.poller,
        assign_time=_timestamp(one.since_us),
        releasing=one.releasing,
        exclusive=one.exclusive,
        epoch=one.epoch,
        pinned=one.pinned,
    )


def _named(poller: str) -> str:
    if not poller:
        raise Refused("poller: name a collector")
    return poller


def _timestamp(microseconds: int) -> Timestamp:
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)
