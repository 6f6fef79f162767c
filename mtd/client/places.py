"""Sites and groups of devices: give what a function here returns to a client's ``ask``.

made = client.ask(places.create_site("graz-1", address="Schlossberg 1"))
page = client.ask(places.groups())
client.update_device("core-1", site="graz-1", groups=["core"])
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.client.errors import MtdClientError
from mtd.client.requests import Call
from mtd.client.values import moment
from mtd.pb.inventory.v1 import device_group_service_pb2 as group_pb
from mtd.pb.inventory.v1 import site_service_pb2 as site_pb

SITES = "sites"
GROUPS = "groups"


@dataclass(frozen=True, slots=True)
class Place:
    """A site or a group. ``devices``: how many are in it. A group has no address."""

    id: str
    name: str
    labels: Mapping[str, str]
    notes: str
    address: str
    revision: int
    created_at: dt.datetime
    updated_at: dt.datetime
    devices: int


@dataclass(frozen=True, slots=True)
class Places:
    """A page of sites or groups; an empty token ends the list."""

    places: Sequence[Place]
    next_page_token: str


def create_site(name: str, *, request_id: str = "", **settings: Any) -> Call[Place]:
    """Build CreateSite: ``labels``, ``notes`` and ``address`` may be given."""
    request = site_pb.CreateSiteRequest(settings=_site({"name": name, **settings}), request_id=request_id)
    return Call(SITES, "CreateSite", request, lambda answer: _place(answer.site))


def get_site(site: str) -> Call[Place]:
    """Build GetSite."""
    return Call(SITES, "GetSite", site_pb.GetSiteRequest(site=site), lambda answer: _place(answer.site))


def sites(page_size: int = 0, page_token: str = "") -> Call[Places]:
    """Build ListSites."""
    request = site_pb.ListSitesRequest(page_size=page_size, page_token=page_token)
    return Call(SITES, "ListSites", request, lambda answer: _page(answer.sites, answer))


def update_site(site: str, *, revision: int = 0, **settings: Any) -> Call[Place]:
    """Build UpdateSite for the settings that are given."""
    request = site_pb.UpdateSiteRequest(site=site, settings=_site(settings), revision=revision)
    request.update_mask.paths.extend(sorted(settings))
    return Call(SITES, "UpdateSite", request, lambda answer: _place(answer.site))


def delete_site(site: str) -> Call[None]:
    """Build DeleteSite. It fails with FAILED_PRECONDITION while devices are there."""
    return Call(SITES, "DeleteSite", site_pb.DeleteSiteRequest(site=site), lambda _: None)


def create_group(name: str, *, request_id: str = "", **settings: Any) -> Call[Place]:
    """Build CreateDeviceGroup: ``labels`` and ``notes`` may be given."""
    request = group_pb.CreateDeviceGroupRequest(
        settings=_group({"name": name, **settings}), request_id=request_id
    )
    return Call(GROUPS, "CreateDeviceGroup", request, lambda answer: _place(answer.device_group))


def get_group(group: str) -> Call[Place]:
    """Build GetDeviceGroup."""
    request = group_pb.GetDeviceGroupRequest(device_group=group)
    return Call(GROUPS, "GetDeviceGroup", request, lambda answer: _place(answer.device_group))


def groups(page_size: int = 0, page_token: str = "") -> Call[Places]:
    """Build ListDeviceGroups."""
    request = group_pb.ListDeviceGroupsRequest(page_size=page_size, page_token=page_token)
    return Call(GROUPS, "ListDeviceGroups", request, lambda answer: _page(answer.device_groups, answer))


def update_group(group: str, *, revision: int = 0, **settings: Any) -> Call[Place]:
    """Build UpdateDeviceGroup for the settings that are given."""
    request = group_pb.UpdateDeviceGroupRequest(
        device_group=group, settings=_group(settings), revision=revision
    )
    request.update_mask.paths.extend(sorted(settings))
    return Call(GROUPS, "UpdateDeviceGroup", request, lambda answer: _place(answer.device_group))


def delete_group(group: str) -> Call[None]:
    """Build DeleteDeviceGroup. It fails with FAILED_PRECONDITION while devices are in it."""
    request = group_pb.DeleteDeviceGroupRequest(device_group=group)
    return Call(GROUPS, "DeleteDeviceGroup", request, lambda _: None)


def _site(settings: Mapping[str, Any]) -> site_pb.SiteSettings:
    try:
        return site_pb.SiteSettings(**settings)
    except (ValueError, TypeError) as error:
        raise _unsendable(error) from None


def _group(settings: Mapping[str, Any]) -> group_pb.DeviceGroupSettings:
    try:
        return group_pb.DeviceGroupSettings(**settings)
    except (ValueError, TypeError) as error:
        raise _unsendable(error) from None


def _unsendable(error: Exception) -> MtdClientError:
    return MtdClientError(f"settings that can't be sent: {error}", code="INVALID_ARGUMENT", reason="SETTINGS")


def _page(messages: Sequence[Any], answer: Any) -> Places:
    return Places(tuple(map(_place, messages)), answer.next_page_token)


def _place(message: Any) -> Place:
    settings = message.settings
    return Place(
        id=message.id,
        name=settings.name,
        labels=dict(settings.labels),
        notes=settings.notes,
        address=getattr(settings, "address", ""),
        revision=message.revision,
        created_at=_time(message.create_time),
        updated_at=_time(message.update_time),
        devices=message.device_count,
    )


def _time(stamp: Timestamp) -> dt.datetime:
    return moment(stamp.seconds * 1_000_000 + stamp.nanos // 1000)
