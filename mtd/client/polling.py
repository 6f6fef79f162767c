"""Who polls what: give what a function here returns to a client.

pollers = client.ask(polling.page())
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from mtd.client.requests import Call
from mtd.client.values import word
from mtd.pb.admin.v1 import polling_service_pb2 as pb

POLLING = "polling"


@dataclass(frozen=True, slots=True)
class Report:
    """What a collector said of itself at last. ``pressure``: the uppermost tier that it polls less often, or "none"."""

    time: dt.datetime
    buffer_events: int
    buffer_bytes: int
    last_push: dt.datetime | None
    clock_ahead_s: float
    pressure: str


@dataclass(frozen=True, slots=True)
class Poller:
    """Who polls. ``state``: online, offline, left or never. ``lease_left_s`` is 0 if its lease is over."""

    id: str
    name: str
    edge: bool
    state: str
    since: dt.datetime | None
    version: str
    devices: int
    exclusive_devices: int
    lease_left_s: float
    draining: bool
    weight: float
    sites: Sequence[str]
    sites_only: bool
    canary_percent: int | None
    canary_group: str
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class Pollers:
    """A page of pollers; an empty token ends the list."""

    pollers: Sequence[Poller]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who polls a device."""

    device_id: str
    device: str
    poller_id: str
    poller: str
    since: dt.datetime
    releasing: bool
    exclusive: bool
    epoch: int
    pinned: bool


@dataclass(frozen=True, slots=True)
class Assignments:
    """A page of who polls what; an empty token ends the list."""

    assignments: Sequence[Assignment]
    next_page_token: str


def page(*, page_size: int = 0, page_token: str = "") -> Call[Pollers]:
    """Build ListPollers."""
    request = pb.ListPollersRequest(page_size=page_size, page_token=page_token)
    return Call(
        POLLING,
        "ListPollers",
        request,
        lambda answer: Pollers(tuple(map(_poller, answer.pollers)), answer.next_page_token),
    )


def get(poller: str) -> Call[Poller]:
    """Build GetPoller."""
    return Call(
        POLLING, "GetPoller", pb.GetPollerRequest(poller=poller), lambda answer: _poller(answer.poller)
    )


def drain(poller: str, *, draining: bool = True) -> Call[Poller]:
    """Build UpdatePoller: its devices go to others, or may come back."""
    return _update(poller, pb.PollerSettings(draining=draining), "draining")


def weigh(poller: str, weight: float) -> Call[Poller]:
    """Build UpdatePoller: its part of the devices, beside 1 of others."""
    return _update(poller, pb.PollerSettings(weight=weight), "weight")


def sites(poller: str, names: Sequence[str], *, only: bool) -> Call[Poller]:
    """Build UpdatePoller: the sites whose devices it polls rather than others, or nobody else if ``only``."""
    return _update(poller, pb.PollerSettings(sites=names, sites_only=only), "sites", "sites_only")


def prefer_sites(poller: str, names: Sequence[str]) -> Call[Poller]:
    """Build UpdatePoller as `sites` does, and leave as it is whether others may poll them."""
    return _update(poller, pb.PollerSettings(sites=names), "sites")


def canary(poller: str, *, percent: int | None = None, group: str | None = None) -> Call[Poller]:
    """Build UpdatePoller: on which devices it tries something out; on none if neither is given."""
    settings = pb.PollerSettings(canary_percent=percent, canary_group=group or "")
    fields = ["canary_percent"]
    # Of a hub, only a percentage can be meant.
    if group is not None or percent is None:
        fields.append("canary_group")
    return _update(poller, settings, *fields)


def release(poller: str) -> Call[int]:
    """Build ReleasePoller; the answer is how many devices others may have now."""
    request = pb.ReleasePollerRequest(poller=poller)
    return Call(POLLING, "ReleasePoller", request, lambda answer: int(answer.devices))


def place(devices: Sequence[str], *, poller: str | None = None, redundancy: int | None = None) -> Call[int]:
    """Build PlaceDevices for devices; what is None stays. The answer is how many were changed."""
    request = pb.PlaceDevicesRequest(devices=devices, poller=poller, redundancy=redundancy)
    return Call(POLLING, "PlaceDevices", request, lambda answer: int(answer.devices))


def place_sites(names: Sequence[str], redundancy: int) -> Call[int]:
    """Build PlaceDevices for sites: by how many their devices are polled. The answer is how many were changed."""
    request = pb.PlaceDevicesRequest(sites=names, redundancy=redundancy)
    return Call(POLLING, "PlaceDevices", request, lambda answer: int(answer.sites))


def assignments(poller: str = "", *, page_size: int = 0, page_token: str = "") -> Call[Assignments]:
    """Build ListAssignments: of a poller, or all."""
    request = pb.ListAssignmentsRequest(poller=poller, page_size=page_size, page_token=page_token)
    return Call(
        POLLING,
        "ListAssignments",
        request,
        lambda answer: Assignments(tuple(map(_assignment, answer.assignments)), answer.next_page_token),
    )


def _update(poller: str, settings: pb.PollerSettings, *fields: str) -> Call[Poller]:
    request = pb.UpdatePollerRequest(poller=poller, settings=settings, update_mask=FieldMask(paths=fields))
    return Call(POLLING, "UpdatePoller", request, lambda answer: _poller(answer.poller))


def _poller(message: pb.Poller) -> Poller:
    return Poller(
        message.id,
        message.name,
        message.edge,
        word(pb.PollerState, message.state, "POLLER_STATE_"),
        _time(message.state_time) if message.HasField("state_time") else None,
        message.version,
        message.devices,
        message.exclusive_devices,
        message.lease_left_s,
        message.draining,
        message.weight,
        tuple(message.sites),
        message.sites_only,
        message.canary_percent if message.HasField("canary_percent") else None,
        message.canary_group,
        _report(message.report) if message.HasField("report") else None,
    )


def _report(message: pb.PollerReport) -> Report:
    return Report(
        _time(message.report_time),
        message.buffer_events,
        message.buffer_bytes,
        _time(message.last_push_time) if message.HasField("last_push_time") else None,
        message.clock_ahead_s,
        message.pressure,
    )


def _assignment(message: pb.Assignment) -> Assignment:
    return Assignment(
        message.device_id,
        message.device,
        message.poller_id,
        message.poller,
        _time(message.assign_time),
        message.releasing,
        message.exclusive,
        message.epoch,
        message.pinned,
    )


def _time(stamp: Timestamp) -> dt.datetime:
    return stamp.ToDatetime(tzinfo=dt.UTC)
