"""FlowService: sums of flows, records, and whether they tell of everything."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.access.current import tenant_id
from mtd.api.grpc.flow_questions import (
    DEFAULT_PAGE,
    MAX_PAGE,
    search_of,
    series_question_of,
    span_of,
    top_question_of,
)
from mtd.api.grpc.server import ServicePart
from mtd.api.grpc.types import Context
from mtd.core.clock import SYSTEM_CLOCK, Clock
from mtd.pb.flows.v1 import flow_service_pb2 as pb
from mtd.pb.flows.v1.flow_service_pb2_grpc import FlowServiceServicer, add_FlowServiceServicer_to_server
from mtd.queries.flows.records import (
    Amounts,
    ComparedInterface,
    Comparison,
    FlowSeries,
    FoundFlow,
    Order,
    SearchPage,
    SearchQuestion,
    SeriesAnswer,
    SeriesQuestion,
    TopAnswer,
    TopQuestion,
    TopRow,
)

_MOST = 1 << 32
_WIDE = frozenset({"octets", "packets"})
_TIMES = {"start_ms": "start_time", "end_ms": "end_time"}
# Fields of a record that are called as the columns are.
_TOLD = frozenset(
    one.name
    for one in pb.FlowRecord.DESCRIPTOR.fields
    if one.message_type is None and one.name not in {"device_id", "device", "exporter"}
)


class FlowBackend(Protocol):
    """Reads flows. See `FlowQueries`."""

    async def top(self, tenant_id: str, asked: TopQuestion) -> TopAnswer:
        """Return the largest of a range."""

    async def series(self, tenant_id: str, asked: SeriesQuestion) -> SeriesAnswer:
        """Return the largest over time."""

    async def search(
        self, tenant_id: str, asked: SearchQuestion, *, after: str = "", limit: int = 100
    ) -> SearchPage:
        """Return records, what came last first."""

    async def compare(
        self, tenant_id: str, start_us: int, end_us: int, devices: Sequence[str] = ()
    ) -> Comparison:
        """Return interfaces by flows and by their own counters."""


def flow_parts(backend: FlowBackend) -> list[ServicePart]:
    """Return the service."""
    return [ServicePart(add_FlowServiceServicer_to_server, FlowServicer(backend))]


class FlowServicer(FlowServiceServicer):
    """Asks the backend for the caller's tenant."""

    def __init__(self, backend: FlowBackend, clock: Clock = SYSTEM_CLOCK) -> None:
        self._backend = backend
        self._clock = clock

    async def ListTopFlows(
        self, request: pb.ListTopFlowsRequest, context: Context
    ) -> pb.ListTopFlowsResponse:
        """Rank the keys of a dimension."""
        asked = top_question_of(request, self._clock.now_us())
        found = await self._backend.top(tenant_id(), asked)
        return await asyncio.to_thread(_top, found, asked.order)

    async def GetFlowSeries(
        self, request: pb.GetFlowSeriesRequest, context: Context
    ) -> pb.GetFlowSeriesResponse:
        """Return the largest over time."""
        asked = series_question_of(request, self._clock.now_us())
        return await asyncio.to_thread(_over_time, await self._backend.series(tenant_id(), asked))

    async def SearchFlows(self, request: pb.SearchFlowsRequest, context: Context) -> pb.SearchFlowsResponse:
        """Find records."""
        page = await self._backend.search(
            tenant_id(),
            search_of(request),
            after=request.page_token,
            limit=min(request.page_size or DEFAULT_PAGE, MAX_PAGE),
        )
        return await asyncio.to_thread(_page, page)

    async def CompareFlowsWithInterfaces(
        self, request: pb.CompareFlowsWithInterfacesRequest, context: Context
    ) -> pb.CompareFlowsWithInterfacesResponse:
        """Compare flows with counters."""
        start_us, end_us = span_of(request, self._clock.now_us())
        found = await self._backend.compare(tenant_id(), start_us, end_us, tuple(request.devices))
        return await asyncio.to_thread(_comparison, found)


# Of large answers these take some hundredths of a second: they are for threads.


def _top(found: TopAnswer, order: Order) -> pb.ListTopFlowsResponse:
    whole = found.total.by(order)
    return pb.ListTopFlowsResponse(
        rows=[_row(row, order, whole) for row in found.rows],
        others=_amounts(found.others),
        total=_amounts(found.total),
        start_time=_time(found.start_us),
        end_time=_time(found.end_us),
    )


def _over_time(found: SeriesAnswer) -> pb.GetFlowSeriesResponse:
    return pb.GetFlowSeriesResponse(
        times_us=found.times_us,
        step_s=found.step_s,
        series=map(_series, found.series),
        others=_series(found.others),
    )


def _page(found: SearchPage) -> pb.SearchFlowsResponse:
    return pb.SearchFlowsResponse(
        flows=map(record_message, found.flows), next_page_token=found.token, truncated=found.truncated
    )


def _comparison(found: Comparison) -> pb.CompareFlowsWithInterfacesResponse:
    return pb.CompareFlowsWithInterfacesResponse(
        interfaces=map(_interface, found.interfaces),
        left_out=found.left_out,
        start_time=_time(found.start_us),
        end_time=_time(found.end_us),
    )


def record_message(flow: FoundFlow) -> pb.FlowRecord:
    """Return a record; what has no field of its own, or doesn't fit into it, is among what else is told."""
    message = pb.FlowRecord(
        receive_time=_time(flow.received_us),
        device_id=flow.device_id,
        device=flow.device,
        exporter=flow.exporter,
        in_interface_name=flow.in_interface_name,
        out_interface_name=flow.out_interface_name,
    )
    for name, value in flow.values.items():
        if name in _TIMES:
            getattr(message, _TIMES[name]).CopyFrom(_time(int(value) * 1000))
        elif name in _TOLD and (isinstance(value, str) or value < _MOST or name in _WIDE):
            setattr(message, name, value)
        else:
            message.more[name] = str(value)
    return message


def _row(row: TopRow, order: Order, whole: int) -> pb.TopFlowsRow:
    return pb.TopFlowsRow(
        key=row.key,
        label=row.label,
        amounts=_amounts(row.amounts),
        share=row.amounts.by(order) / whole if whole else 0.0,
    )


def _amounts(amounts: Amounts) -> pb.FlowAmounts:
    return pb.FlowAmounts(octets=amounts.octets, packets=amounts.packets, flows=amounts.flows)


def _series(one: FlowSeries) -> pb.FlowSeries:
    return pb.FlowSeries(
        key=one.key, label=one.label, octets=one.octets, packets=one.packets, flows=one.flows
    )


def _interface(one: ComparedInterface) -> pb.ComparedInterface:
    return pb.ComparedInterface(
        device_id=one.device_id,
        device=one.device,
        index=one.index,
        name=one.name,
        in_octets=one.in_octets,
        out_octets=one.out_octets,
        rx_bytes=one.rx_bytes,
        tx_bytes=one.tx_bytes,
        in_ratio=one.in_octets / one.rx_bytes if one.rx_bytes else None,
        out_ratio=one.out_octets / one.tx_bytes if one.tx_bytes else None,
    )


def _time(us: int) -> Timestamp:
    return Timestamp(seconds=us // 1_000_000, nanos=us % 1_000_000 * 1000)
