"""DiscoveryService: devices that could be added, and how devices are linked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.access.current import tenant_id
from mtd.api.grpc.convert import device_message, settings_of
from mtd.api.grpc.inventory import DEFAULT_PAGE, MAX_PAGE, caller_of
from mtd.api.grpc.types import Context
from mtd.api.interfaces import DiscoveryBackend
from mtd.core.errors import Refused
from mtd.discovery.scan import ScanReport
from mtd.model.pb_enums import FOUND_BY
from mtd.pb.inventory.v1 import discovery_service_pb2 as pb
from mtd.pb.inventory.v1 import inventory_service_pb2 as inventory_pb
from mtd.pb.inventory.v1.discovery_service_pb2_grpc import DiscoveryServiceServicer
from mtd.queries.proposals import ADOPTED, IGNORED, NEW, NeighborView, ProposalView, SeenAt

_STATES = {
    NEW: pb.PROPOSAL_STATE_NEW,
    IGNORED: pb.PROPOSAL_STATE_IGNORED,
    ADOPTED: pb.PROPOSAL_STATE_ADOPTED,
}
_WORDS: dict[int, str] = {number: word for word, number in _STATES.items()}
_TEXTS = ("address", "mac_address", "identity", "platform", "version", "board", "software_id")
_LINK_TEXTS = (
    *("interface_id", "address", "mac_address", "identity", "platform", "version", "board"),
    *("system_description", "discovered_by", "interface_name"),
    *("neighbor_device_id", "neighbor_device_name", "neighbor_interface_id"),
)


class DiscoveryServicer(DiscoveryServiceServicer):
    """Checks what callers say and asks the backend."""

    def __init__(self, backend: DiscoveryBackend) -> None:
        self._backend = backend

    async def ListProposals(
        self, request: pb.ListProposalsRequest, context: Context
    ) -> pb.ListProposalsResponse:
        """Read a page of the proposals."""
        unknown = sorted(set(request.states) - set(_WORDS))
        if unknown:
            raise Refused(f"states: {unknown[0]} is none of {', '.join(_STATES)}")
        page = await self._backend.proposals(
            tenant_id(),
            [_WORDS[state] for state in request.states] or [NEW],
            request.include_known,
            min(request.page_size or DEFAULT_PAGE, MAX_PAGE),
            request.page_token,
        )
        return pb.ListProposalsResponse(
            proposals=map(proposal_message, page.proposals), next_page_token=page.next_token
        )

    async def AdoptProposal(
        self, request: pb.AdoptProposalRequest, context: Context
    ) -> pb.AdoptProposalResponse:
        """Add the device of a proposal."""
        proposal = await self._backend.proposal(tenant_id(), request.proposal)
        given = inventory_pb.DeviceSettings()
        given.CopyFrom(request.settings)
        given.host = given.host or proposal.address
        given.name = given.name or proposal.identity or proposal.address
        if not given.host:
            raise Refused("host: the device told no address at which it can be reached; give one")
        view = await self._backend.adopt(
            tenant_id(), proposal, settings_of(given), request.password, caller_of(context)
        )
        return pb.AdoptProposalResponse(device=device_message(view))

    async def IgnoreProposal(
        self, request: pb.IgnoreProposalRequest, context: Context
    ) -> pb.IgnoreProposalResponse:
        """Hide a proposal, or show it again."""
        view = await self._backend.ignore(
            tenant_id(), request.proposal, caller_of(context), restore=request.restore
        )
        return pb.IgnoreProposalResponse(proposal=proposal_message(view))

    async def ScanSubnet(
        self, request: pb.ScanSubnetRequest, context: Context
    ) -> AsyncGenerator[pb.ScanSubnetResponse, None]:
        """Look for routers in a subnet."""
        reports = self._backend.scan(tenant_id(), request.subnet, request.web, caller_of(context))
        async with aclosing(reports):
            async for report in reports:
                yield report_message(report)

    async def ListNeighbors(
        self, request: pb.ListNeighborsRequest, context: Context
    ) -> pb.ListNeighborsResponse:
        """Read a page of the neighbours."""
        page = await self._backend.neighbors(
            tenant_id(),
            request.device,
            min(request.page_size or DEFAULT_PAGE, MAX_PAGE),
            request.page_token,
        )
        return pb.ListNeighborsResponse(
            neighbors=map(neighbor_message, page.neighbors), next_page_token=page.next_token
        )


def proposal_message(view: ProposalView) -> pb.Proposal:
    """Return a proposal as the protocol shows it."""
    return pb.Proposal(
        id=view.proposal_id,
        state=_STATES[view.state],
        ports=view.ports,
        found_by=[FOUND_BY.to_pb(way) for way in view.found_by],
        first_seen_time=_timestamp(view.first_seen_us),
        last_seen_time=_timestamp(view.last_seen_us),
        seen_at=map(_seen_at, view.seen_at),
        known_device_id=view.known_device_id or "",
        known_device_name=view.known_device_name,
        known_by=view.known_by,
        **{name: getattr(view, name) for name in _TEXTS},
    )


def neighbor_message(view: NeighborView) -> pb.Neighbor:
    """Return a neighbour as the protocol shows it."""
    return pb.Neighbor(
        seen_at=_seen_at(view.seen_at),
        first_seen_time=_timestamp(view.first_seen_us),
        **{name: getattr(view, name) for name in _LINK_TEXTS},
    )


def report_message(report: ScanReport) -> pb.ScanSubnetResponse:
    """Return how far a scan is."""
    return pb.ScanSubnetResponse(
        addresses=report.addresses,
        done=report.done,
        complete=report.complete,
        findings=[
            pb.ScanFinding(address=finding.address, port=finding.port, service=finding.answer.value)
            for finding in report.findings
        ],
    )


def _seen_at(where: SeenAt) -> pb.SeenAt:
    return pb.SeenAt(device_id=where.device_id, device_name=where.device_name, interface=where.interface)


def _timestamp(microseconds: int) -> Timestamp:
    seconds, rest = divmod(microseconds, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)
