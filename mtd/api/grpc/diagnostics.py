"""DiagnosticsService: tools that routers run on demand."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from mtd.api.access.current import tenant_id
from mtd.api.grpc.inventory import caller_of, named
from mtd.api.grpc.types import Context
from mtd.api.interfaces import DiagnosticsBackend
from mtd.diagnostics.plans import BandwidthTest, Bounds, Ping, Sniff, Torch, Traceroute, Wish
from mtd.diagnostics.runner import EndReason, RunEnd
from mtd.model.pb_enums import EnumMap
from mtd.pb.diagnostics.v1 import diagnostics_service_pb2 as pb
from mtd.pb.diagnostics.v1.diagnostics_service_pb2_grpc import DiagnosticsServiceServicer

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
        )
        return self._run(request.device, wish, context, pb.PingResponse)

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
        )
        return self._run(request.device, wish, context, pb.TracerouteResponse)

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
        return self._run(request.device, wish, context, pb.TorchResponse)

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
        return self._run(request.device, wish, context, pb.SniffResponse)

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
        return self._run(request.device, wish, context, pb.BandwidthTestResponse)

    async def _run(
        self, device: str, wish: Wish, context: Context, response: type[Any]
    ) -> AsyncGenerator[Any, None]:
        parts = self._backend.run(tenant_id(), named(device), wish, caller_of(context))
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


def _bounds(given: pb.Bounds) -> Bounds:
    return Bounds(given.seconds, given.rows)
