"""How interfaces are read, and what reading costs, as messages of the protocol."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.grpc.slices import page_of
from mtd.api.interfaces import CostPage, DeviceCost, DeviceInterfaces
from mtd.model.interfaces import PHYSICAL_TYPES
from mtd.model.metric import Tier
from mtd.model.pb_enums import TIER
from mtd.pb.inventory.v1 import inventory_service_pb2 as pb
from mtd.queries.records import InterfaceRow
from mtd.scheduler.costs import Cost

MOST_INTERFACES = 10_000


def interfaces_message(
    found: DeviceInterfaces, page_size: int = 0, after: str = ""
) -> pb.ListInterfacesResponse:
    """Return a page of the interfaces of a device, by name; pins that match none are told apart."""
    page, following = page_of(found.interfaces, _place, page_size, MOST_INTERFACES, after)
    pins = found.device.settings.t0.pins
    pinned = {pin for one in found.interfaces for pin in pins if pin in (one.id, one.name)}
    return pb.ListInterfacesResponse(
        interfaces=[_interface(one, found, pinned=one.id in pins or one.name in pins) for one in page],
        unmatched_pins=[pin for pin in pins if pin not in pinned],
        next_page_token=following,
    )


def _place(one: InterfaceRow) -> str:
    # Two may have one name: then the id tells which was first.
    return f"{one.name}\n{one.id}"


def _interface(one: InterfaceRow, found: DeviceInterfaces, *, pinned: bool) -> pb.Interface:
    tier = Tier(one.tier)
    message = pb.Interface(
        id=one.id,
        name=one.name,
        comment=one.comment,
        type=one.type,
        tier=TIER.to_pb(tier),
        interval_s=found.intervals_s.get(tier, 0.0),
        reason=one.reason,
        detail=one.why,
        pinned=pinned,
        physical=one.type in PHYSICAL_TYPES if one.type else None,
    )
    if one.chosen_us is not None:
        seconds, rest = divmod(one.chosen_us, 1_000_000)
        message.since_time.CopyFrom(Timestamp(seconds=seconds, nanos=rest * 1000))
    return message


def costs_message(page: CostPage) -> pb.ListCostsResponse:
    """Return what devices cost."""
    return pb.ListCostsResponse(devices=map(_device_cost, page.devices), next_page_token=page.next_token)


def _device_cost(one: DeviceCost) -> pb.DeviceCost:
    categories = sorted(one.cost.categories.items(), key=lambda item: (-item[1].busy_s, item[0]))
    return pb.DeviceCost(
        device_id=one.device_id,
        device_name=one.device_name,
        counted_s=one.cost.counted_s,
        total=_category("", one.cost.total),
        categories=[_category(name, cost) for name, cost in categories],
    )


def _category(name: str, cost: Cost) -> pb.CategoryCost:
    return pb.CategoryCost(
        category=name,
        commands_per_hour=cost.commands,
        received_bytes_per_hour=cost.received_bytes,
        sent_bytes_per_hour=cost.sent_bytes,
        rows_per_hour=cost.rows,
        busy_seconds_per_hour=cost.busy_s,
    )
