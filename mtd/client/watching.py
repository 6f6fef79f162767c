"""How interfaces are read and why, and what it costs routers: give what a function here returns to a client's ``ask``.

found = client.ask(watching.interfaces("core-1"))
page = client.ask(watching.costs())
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from mtd.client.requests import INVENTORY, Call
from mtd.client.values import moment, word
from mtd.pb.common.v1 import device_pb2
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface, how often its counters are read, and why.

    ``reason`` is a word for programs, ``detail`` the same for people; ``since``
    is None if it wasn't chosen. ``physical``: it is a port of the router's own;
    None if the router doesn't say what type it is of.
    """

    id: str
    name: str
    comment: str
    type: str
    tier: str
    interval_s: float
    reason: str
    detail: str
    since: dt.datetime | None
    pinned: bool
    physical: bool | None = None


@dataclass(frozen=True, slots=True)
class Interfaces:
    """The interfaces of a device, and its pins that none of them matches."""

    interfaces: Sequence[Interface]
    unmatched_pins: Sequence[str]


@dataclass(frozen=True, slots=True)
class CategoryCost:
    """What a category costs a router, per hour. ``share``: of the time in which it was busy for us, 0 to 1."""

    category: str
    commands: float
    received_bytes: float
    sent_bytes: float
    rows: float
    busy_s: float
    share: float


@dataclass(frozen=True, slots=True)
class DeviceCost:
    """What watching costs a router, per hour; counted over the last hour, or as long as it was watched."""

    device_id: str
    device_name: str
    counted_s: float
    total: CategoryCost
    categories: Sequence[CategoryCost]


@dataclass(frozen=True, slots=True)
class CostPage:
    """Devices by name; an empty token ends them."""

    devices: Sequence[DeviceCost]
    next_token: str


def interfaces(device: str) -> Call[Interfaces]:
    """Build ListInterfaces."""
    return Call(INVENTORY, "ListInterfaces", pb.ListInterfacesRequest(device=device), _interfaces)


def costs(device: str = "", *, page_size: int = 0, page_token: str = "") -> Call[CostPage]:
    """Build ListCosts: of one device, or of a page of all that the daemon polls."""
    request = pb.ListCostsRequest(device=device, page_size=page_size, page_token=page_token)
    return Call(INVENTORY, "ListCosts", request, _costs)


def _interfaces(message: pb.ListInterfacesResponse) -> Interfaces:
    return Interfaces(tuple(map(_interface, message.interfaces)), tuple(message.unmatched_pins))


def _interface(message: pb.Interface) -> Interface:
    since = message.since_time
    return Interface(
        id=message.id,
        name=message.name,
        comment=message.comment,
        type=message.type,
        tier=word(device_pb2.Tier, message.tier, "TIER_"),
        interval_s=message.interval_s,
        reason=message.reason,
        detail=message.detail,
        since=moment(since.seconds * 1_000_000 + since.nanos // 1000)
        if message.HasField("since_time")
        else None,
        pinned=message.pinned,
        physical=message.physical if message.HasField("physical") else None,
    )


def _costs(message: pb.ListCostsResponse) -> CostPage:
    return CostPage(tuple(map(_device, message.devices)), message.next_page_token)


def _device(message: pb.DeviceCost) -> DeviceCost:
    busy_s = sum(one.busy_seconds_per_hour for one in message.categories)
    return DeviceCost(
        message.device_id,
        message.device_name,
        message.counted_s,
        _category(message.total, message.total.busy_seconds_per_hour),
        tuple(_category(one, busy_s) for one in message.categories),
    )


def _category(message: pb.CategoryCost, busy_s: float) -> CategoryCost:
    return CategoryCost(
        message.category,
        message.commands_per_hour,
        message.received_bytes_per_hour,
        message.sent_bytes_per_hour,
        message.rows_per_hour,
        message.busy_seconds_per_hour,
        message.busy_seconds_per_hour / busy_s if busy_s else 0.0,
    )
