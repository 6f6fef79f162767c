"""SiteService and DeviceGroupService: where devices stand, and which belong together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.access.current import tenant_id
from mtd.api.grpc.inventory import DEFAULT_PAGE, MAX_PAGE
from mtd.api.grpc.types import Context
from mtd.api.interfaces import PlacesBackend
from mtd.core.errors import Refused
from mtd.pb.inventory.v1 import device_group_service_pb2 as group_pb
from mtd.pb.inventory.v1 import site_service_pb2 as site_pb
from mtd.pb.inventory.v1.device_group_service_pb2_grpc import DeviceGroupServiceServicer
from mtd.pb.inventory.v1.site_service_pb2_grpc import SiteServiceServicer
from mtd.storage.stores.places import Place, PlaceSettings


class SiteServicer(SiteServiceServicer):
    """Checks what callers say and asks the backend."""

    def __init__(self, backend: PlacesBackend) -> None:
        self._backend = backend

    async def CreateSite(
        self, request: site_pb.CreateSiteRequest, context: Context
    ) -> site_pb.CreateSiteResponse:
        """Add a site."""
        place = await self._backend.create(tenant_id(), _site_settings(request.settings))
        return site_pb.CreateSiteResponse(site=site_message(place))

    async def GetSite(self, request: site_pb.GetSiteRequest, context: Context) -> site_pb.GetSiteResponse:
        """Read a site."""
        place = await self._backend.get(tenant_id(), _named(request.site, "site"))
        return site_pb.GetSiteResponse(site=site_message(place))

    async def ListSites(
        self, request: site_pb.ListSitesRequest, context: Context
    ) -> site_pb.ListSitesResponse:
        """Read a page of the sites."""
        page, following = await _page(self._backend, request)
        return site_pb.ListSitesResponse(sites=map(site_message, page), next_page_token=following)

    async def UpdateSite(
        self, request: site_pb.UpdateSiteRequest, context: Context
    ) -> site_pb.UpdateSiteResponse:
        """Change a site."""
        place = await self._backend.update(
            tenant_id(),
            _named(request.site, "site"),
            _site_settings(request.settings),
            _mask(request.update_mask.paths),
            request.revision,
        )
        return site_pb.UpdateSiteResponse(site=site_message(place))

    async def DeleteSite(
        self, request: site_pb.DeleteSiteRequest, context: Context
    ) -> site_pb.DeleteSiteResponse:
        """Remove a site."""
        await self._backend.delete(tenant_id(), _named(request.site, "site"))
        return site_pb.DeleteSiteResponse()


class DeviceGroupServicer(DeviceGroupServiceServicer):
    """Checks what callers say and asks the backend."""

    def __init__(self, backend: PlacesBackend) -> None:
        self._backend = backend

    async def CreateDeviceGroup(
        self, request: group_pb.CreateDeviceGroupRequest, context: Context
    ) -> group_pb.CreateDeviceGroupResponse:
        """Add a group."""
        place = await self._backend.create(tenant_id(), _group_settings(request.settings))
        return group_pb.CreateDeviceGroupResponse(device_group=group_message(place))

    async def GetDeviceGroup(
        self, request: group_pb.GetDeviceGroupRequest, context: Context
    ) -> group_pb.GetDeviceGroupResponse:
        """Read a group."""
        place = await self._backend.get(tenant_id(), _named(request.device_group, "group"))
        return group_pb.GetDeviceGroupResponse(device_group=group_message(place))

    async def ListDeviceGroups(
        self, request: group_pb.ListDeviceGroupsRequest, context: Context
    ) -> group_pb.ListDeviceGroupsResponse:
        """Read a page of the groups."""
        page, following = await _page(self._backend, request)
        return group_pb.ListDeviceGroupsResponse(
            device_groups=map(group_message, page), next_page_token=following
        )

    async def UpdateDeviceGroup(
        self, request: group_pb.UpdateDeviceGroupRequest, context: Context
    ) -> group_pb.UpdateDeviceGroupResponse:
        """Change a group."""
        place = await self._backend.update(
            tenant_id(),
            _named(request.device_group, "group"),
            _group_settings(request.settings),
            _mask(request.update_mask.paths),
            request.revision,
        )
        return group_pb.UpdateDeviceGroupResponse(device_group=group_message(place))

    async def DeleteDeviceGroup(
        self, request: group_pb.DeleteDeviceGroupRequest, context: Context
    ) -> group_pb.DeleteDeviceGroupResponse:
        """Remove a group."""
        await self._backend.delete(tenant_id(), _named(request.device_group, "group"))
        return group_pb.DeleteDeviceGroupResponse()


def site_message(place: Place) -> site_pb.Site:
    """Return a site as the protocol shows it."""
    settings = place.settings
    return site_pb.Site(
        settings=site_pb.SiteSettings(
            name=settings.name, labels=settings.labels, notes=settings.notes, address=settings.address
        ),
        **_common(place),
    )


def group_message(place: Place) -> group_pb.DeviceGroup:
    """Return a group as the protocol shows it."""
    settings = place.settings
    return group_pb.DeviceGroup(
        settings=group_pb.DeviceGroupSettings(
            name=settings.name, labels=settings.labels, notes=settings.notes
        ),
        **_common(place),
    )


async def _page(backend: PlacesBackend, request: Any) -> tuple[Sequence[Place], str]:
    size = min(request.page_size or DEFAULT_PAGE, MAX_PAGE)
    found = await backend.list(tenant_id(), after_name=request.page_token, limit=size + 1)
    page = found[:size]
    return page, page[-1].settings.name if len(found) > size else ""


def _common(place: Place) -> dict[str, Any]:
    return {
        "id": place.place_id,
        "tenant_id": place.tenant_id,
        "revision": place.revision,
        "create_time": _timestamp(place.created_at),
        "update_time": _timestamp(place.updated_at),
        "device_count": place.devices,
    }


def _site_settings(given: site_pb.SiteSettings) -> PlaceSettings:
    return PlaceSettings(given.name, dict(given.labels), given.notes, given.address)


def _group_settings(given: group_pb.DeviceGroupSettings) -> PlaceSettings:
    return PlaceSettings(given.name, dict(given.labels), given.notes)


def _mask(paths: Iterable[str]) -> list[str]:
    wanted = sorted(set(paths))
    if not wanted:
        raise Refused("nothing to change: name fields in the update mask")
    return wanted


def _named(place: str, word: str) -> str:
    if not place:
        raise Refused(f"say which {word}, by name or id")
    return place


def _timestamp(time: dt.datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
