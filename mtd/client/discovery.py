"""Devices that could be added, and how devices are linked: give what a function here returns to a client.

page = client.ask(discovery.proposals())
for report in client.run(discovery.scan("192.0.2.0/24")):
...
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.client.requests import Call, settings_message
from mtd.client.runs import RunCall
from mtd.client.values import Device, device_of, moment, number_of, word
from mtd.pb.common.v1 import discovery_pb2
from mtd.pb.inventory.v1 import discovery_service_pb2 as pb

DISCOVERY = "discovery"


@dataclass(frozen=True, slots=True)
class SeenAt:
    """An interface of a device at which something is seen."""

    device_id: str
    device_name: str
    interface: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A device that could be added. Empty texts weren't told."""

    id: str
    state: str
    address: str
    mac_address: str
    identity: str
    platform: str
    version: str
    board: str
    software_id: str
    ports: Sequence[int]
    found_by: Sequence[str]
    first_seen_at: dt.datetime
    last_seen_at: dt.datetime
    seen_at: Sequence[SeenAt]
    known_device_id: str
    known_device_name: str
    known_by: str


@dataclass(frozen=True, slots=True)
class Proposals:
    """A page of proposals; an empty token ends the list."""

    proposals: Sequence[Proposal]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class Neighbor:
    """One end of a link, and what is at the other. Empty texts weren't told."""

    seen_at: SeenAt
    interface_id: str
    address: str
    mac_address: str
    identity: str
    platform: str
    version: str
    board: str
    system_description: str
    discovered_by: str
    interface_name: str
    neighbor_device_id: str
    neighbor_device_name: str
    neighbor_interface_id: str
    first_seen_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Neighbors:
    """A page of neighbours; an empty token ends the list."""

    neighbors: Sequence[Neighbor]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class ScanFinding:
    """Something that answered: ``api``, ``api-ssl``, ``rest``, ``rest-ssl``, or something else (``open``)."""

    address: str
    port: int
    service: str


@dataclass(frozen=True, slots=True)
class ScanReport:
    """How far a scan is, and what answered since the report before."""

    addresses: int
    done: int
    findings: Sequence[ScanFinding]
    complete: bool


def proposals(
    states: Sequence[str] = (), *, include_known: bool = False, page_size: int = 0, page_token: str = ""
) -> Call[Proposals]:
    """Build ListProposals: new ones unless ``states`` says otherwise."""
    request = pb.ListProposalsRequest(
        states=[number_of(pb.ProposalState, state, "PROPOSAL_STATE_") for state in states],
        include_known=include_known,
        page_size=page_size,
        page_token=page_token,
    )
    return Call(
        DISCOVERY,
        "ListProposals",
        request,
        lambda answer: Proposals(tuple(map(_proposal, answer.proposals)), answer.next_page_token),
    )


def adopt(
    proposal: str, password: str = "", settings: Mapping[str, Any] | None = None, *, request_id: str = ""
) -> Call[Device]:
    """Build AdoptProposal; name and host are the proposal's unless the settings have others."""
    message = settings_message({"enabled": True, "tls_mode": "off", **(settings or {})})
    request = pb.AdoptProposalRequest(
        proposal=proposal, settings=message, password=password, request_id=request_id
    )
    return Call(DISCOVERY, "AdoptProposal", request, lambda answer: device_of(answer.device))


def ignore(proposal: str, *, restore: bool = False) -> Call[Proposal]:
    """Build IgnoreProposal."""
    request = pb.IgnoreProposalRequest(proposal=proposal, restore=restore)
    return Call(DISCOVERY, "IgnoreProposal", request, lambda answer: _proposal(answer.proposal))


def neighbors(device: str = "", *, page_size: int = 0, page_token: str = "") -> Call[Neighbors]:
    """Build ListNeighbors, of one device or of all."""
    request = pb.ListNeighborsRequest(device=device, page_size=page_size, page_token=page_token)
    return Call(
        DISCOVERY,
        "ListNeighbors",
        request,
        lambda answer: Neighbors(tuple(map(_neighbor, answer.neighbors)), answer.next_page_token),
    )


def scan(subnet: str, *, web: bool = False) -> RunCall[ScanReport]:
    """Build ScanSubnet."""
    return RunCall(
        DISCOVERY,
        "ScanSubnet",
        pb.ScanSubnetRequest(subnet=subnet, web=web),
        lambda message: (_report(message),),
    )


def _proposal(message: pb.Proposal) -> Proposal:
    texts = ("address", "mac_address", "identity", "platform", "version", "board", "software_id")
    known = ("known_device_id", "known_device_name", "known_by")
    return Proposal(
        id=message.id,
        state=word(pb.ProposalState, message.state, "PROPOSAL_STATE_"),
        ports=tuple(message.ports),
        found_by=tuple(word(discovery_pb2.FoundBy, way, "FOUND_BY_") for way in message.found_by),
        first_seen_at=_time(message.first_seen_time),
        last_seen_at=_time(message.last_seen_time),
        seen_at=tuple(map(_seen_at, message.seen_at)),
        **{name: getattr(message, name) for name in (*texts, *known)},
    )


def _neighbor(message: pb.Neighbor) -> Neighbor:
    apart = {"seen_at", "first_seen_time"}
    return Neighbor(
        seen_at=_seen_at(message.seen_at),
        first_seen_at=_time(message.first_seen_time),
        **{
            field.name: getattr(message, field.name)
            for field in message.DESCRIPTOR.fields
            if field.name not in apart
        },
    )


def _report(message: pb.ScanSubnetResponse) -> ScanReport:
    findings = tuple(ScanFinding(one.address, one.port, one.service) for one in message.findings)
    return ScanReport(message.addresses, message.done, findings, message.complete)


def _seen_at(message: pb.SeenAt) -> SeenAt:
    return SeenAt(message.device_id, message.device_name, message.interface)


def _time(stamp: Timestamp) -> dt.datetime:
    return moment(stamp.seconds * 1_000_000 + stamp.nanos // 1000)
