"""DiagnosticsService: tools that routers run on demand."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from mtd.api.access.current import principal, tenant_id
from mtd.api.grpc.inventory import named
from mtd.api.grpc.types import Context
from mtd.api.interfaces import DiagnosticsBackend
from mtd.core.errors import Refused
from mtd.diagnostics.performing import EndReason, RunEnd
from mtd.diagnostics.plans import BandwidthTest, Bounds, Ping, Sniff, Torch, Traceroute, Wish
from mtd.diagnostics.tools import ToolName
from mtd.model.pb_enums import EnumMap
from mtd.pb.diagnostics.v1 import diagnostics_service_pb2 as pb
from mtd.pb.diagnostics.v1.diagnostics_service_pb2_grpc import DiagnosticsServiceServicer
from mtd.queries.runs import StoredRun

DEFAULT_RUNS = 20
MAX_RUNS = 100
NO_END_US = 2**62
"""Behind all times."""

_TOOLS = tuple(str(tool) for tool in ToolName)
_REASON: EnumMap[EndReason, pb.EndReason] = EnumMap(EndReason, pb.EndReason.items(), "END_REASON_")


class DiagnosticsServicer(DiagnosticsServiceServicer):
    """Takes what callers want apart; the backend checks it and runs it."""

    def __init__(self, backend: DiagnosticsBackend) -> None:
        self._backend = backend

    def Ping(self, request: pb.PingRequest, context: Context) -> AsyncGenerator[pb.PingResponse, None]:
        """Ping from a router."""
        wish = Ping(
            request.address,
            request.count,
            request.interval_ms,
            request.size_bytes,
            request.source_address,
            request.interface,
            request.do_not_fragment,
            _bounds(request.bounds),
            request.from_collector,
        )
        return self._run(request.device, wish, pb.PingResponse)

    def Traceroute(
        self, request: pb.TracerouteRequest, context: Context
    ) -> AsyncGenerator[pb.TracerouteResponse, None]:
        """Trace a path from a router."""
        wish = Traceroute(
            request.address,
            request.count,
            request.max_hops,
            request.udp,
            request.resolve_names,
            request.source_address,
            _bounds(request.bounds),
            request.from_collector,
        )
        return self._run(request.device, wish, pb.TracerouteResponse)

    def Torch(self, request: pb.TorchRequest, context: Context) -> AsyncGenerator[pb.TorchResponse, None]:
        """Show the flows of an interface."""
        wish = Torch(
            request.interface,
            request.source,
            request.destination,
            request.ip_protocol,
            request.port,
            request.vlan_id,
            tuple(request.by),
            _bounds(request.bounds),
        )
        return self._run(request.device, wish, pb.TorchResponse)

    def Sniff(self, request: pb.SniffRequest, context: Context) -> AsyncGenerator[pb.SniffResponse, None]:
        """List the packets of an interface."""
        wish = Sniff(
            request.interface,
            request.address,
            request.ip_protocol,
            request.port,
            request.mac_address,
            request.vlan_id,
            request.direction,
            _bounds(request.bounds),
        )
        return self._run(request.device, wish, pb.SniffResponse)

    def BandwidthTest(
        self, request: pb.BandwidthTestRequest, context: Context
    ) -> AsyncGenerator[pb.BandwidthTestResponse, None]:
        """Measure what a path carries."""
        wish = BandwidthTest(
            request.address,
            request.protocol,
            request.direction,
            request.max_bps,
            request.user,
            request.password,
            _bounds(request.bounds),
        )
        return self._run(request.device, wish, pb.BandwidthTestResponse)

    async def ListRuns(self, request: pb.ListRunsRequest, context: Context) -> pb.ListRunsResponse:
        """Read a page of the runs that ended."""
        if request.tool and request.tool not in _TOOLS:
            raise Refused(f"tool: {request.tool[:80]!r} is none of {', '.join(_TOOLS)}")
        size = min(request.page_size or DEFAULT_RUNS, MAX_RUNS)
        found = await self._backend.runs(
            tenant_id(),
            named(request.device),
            [request.tool] if request.tool else _TOOLS,
            size + 1,
            _before(request.page_token),
        )
        token = str(found[size - 1].ended_us) if len(found) > size else ""
        return pb.ListRunsResponse(runs=map(run_message, found[:size]), next_page_token=token)

    async def _run(self, device: str, wish: Wish, response: type[Any]) -> AsyncGenerator[Any, None]:
        parts = self._backend.run(tenant_id(), named(device), wish, principal())
        async with aclosing(parts):
            async for part in parts:
                message = response()
                if isinstance(part, RunEnd):
                    end = pb.RunEnd(reason=_REASON.to_pb(part.reason), rows=part.rows, seconds=part.seconds)
                    message.end.CopyFrom(end)
                else:
                    for row in part:
                        message.rows.add(**row)
                yield message


def run_message(run: StoredRun) -> pb.Run:
    """Return a run that ended as the protocol shows it."""
    told = run.content
    message = pb.Run(
        tool=told["tool"],
        from_collector=told["from_collector"],
        arguments=told["arguments"],
        caller=told["caller"],
        seconds=told["seconds"],
        result=told["result"],
        detail=told["detail"],
        row_count=told["row_count"],
        rows_left_out=told["rows_left_out"],
    )
    message.start_time.FromMicroseconds(told["started_us"])
    for row in told["rows"]:
        message.rows.add().update(row)
    message.summary.update(told["summary"])
    return message


def _before(token: str) -> int:
    if not token:
        return NO_END_US
    if not (token.isascii() and token.isdigit() and int(token) <= NO_END_US):
        raise Refused("page_token is not one that this server gave out; begin without a token")
    return int(token)


def _bounds(given: pb.Bounds) -> Bounds:
    return Bounds(given.seconds, given.rows)
