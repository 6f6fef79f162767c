"""Flows that exporters told of: give what a function here returns to a client.

found = client.ask(flows.top("src_address", devices=["core-1"]))
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TypedDict

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.client.flow_values import (
    Comparison,
    FlowRecords,
    OverTime,
    Ranking,
    comparison_of,
    over_time_of,
    ranking_of,
    records_of,
)
from mtd.client.requests import Call
from mtd.client.values import number_of
from mtd.pb.flows.v1 import flow_service_pb2 as pb

FLOWS = "flows"

DIMENSIONS = (
    "total",
    "src_address",
    "dst_address",
    "conversation",
    "src_port",
    "dst_port",
    "protocol",
    "src_as",
    "dst_as",
    "in_interface",
    "out_interface",
    "src_country",
    "dst_country",
    "traffic",
)
"""What flows are summed up by."""

ORDERS = ("octets", "packets", "flows")
"""What the largest are the largest by."""

PROTOCOLS: Mapping[str, int] = MappingProxyType(
    {
        "icmp": 1,
        "igmp": 2,
        "tcp": 6,
        "udp": 17,
        "gre": 47,
        "esp": 50,
        "ah": 51,
        "icmpv6": 58,
        "ospf": 89,
        "sctp": 132,
    }
)
"""Numbers of protocols that have a name here."""


class Conditions(TypedDict, total=False):
    """Which records; see ``FlowFilter`` in the protocol. Addresses may be prefixes."""

    address: str
    src_address: str
    dst_address: str
    port: int
    src_port: int
    dst_port: int
    protocol: int
    interface: int
    in_interface: int
    out_interface: int


def top(
    dimension: str,
    *,
    devices: Sequence[str] = (),
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    limit: int = 0,
    order_by: str = "octets",
    conditions: Conditions | None = None,
) -> Call[Ranking]:
    """Build ListTopFlows."""
    request = pb.ListTopFlowsRequest(
        dimension=dimension,
        devices=devices,
        start_time=_timestamp(start),
        end_time=_timestamp(end),
        limit=limit,
        order_by=number_of(pb.FlowOrder, order_by, "FLOW_ORDER_"),
        filter=pb.FlowFilter(**conditions) if conditions else None,
    )
    return Call(FLOWS, "ListTopFlows", request, ranking_of)


def series(
    dimension: str,
    *,
    devices: Sequence[str] = (),
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    limit: int = 0,
    order_by: str = "octets",
    step_s: int = 0,
) -> Call[OverTime]:
    """Build GetFlowSeries."""
    request = pb.GetFlowSeriesRequest(
        dimension=dimension,
        devices=devices,
        start_time=_timestamp(start),
        end_time=_timestamp(end),
        limit=limit,
        order_by=number_of(pb.FlowOrder, order_by, "FLOW_ORDER_"),
        step_s=step_s,
    )
    return Call(FLOWS, "GetFlowSeries", request, over_time_of)


def search(
    time: dt.datetime,
    *,
    address: str = "",
    port: int | None = None,
    protocol: int | None = None,
    window_s: int = 0,
    devices: Sequence[str] = (),
    page_size: int = 0,
    page_token: str = "",
) -> Call[FlowRecords]:
    """Build SearchFlows."""
    request = pb.SearchFlowsRequest(
        address=address,
        port=port,
        protocol=protocol,
        time=_timestamp(time),
        window_s=window_s,
        devices=devices,
        page_size=page_size,
        page_token=page_token,
    )
    return Call(FLOWS, "SearchFlows", request, records_of)


def interfaces(
    *,
    devices: Sequence[str] = (),
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
) -> Call[Comparison]:
    """Build CompareFlowsWithInterfaces."""
    request = pb.CompareFlowsWithInterfacesRequest(
        devices=devices, start_time=_timestamp(start), end_time=_timestamp(end)
    )
    return Call(FLOWS, "CompareFlowsWithInterfaces", request, comparison_of)


def _timestamp(time: dt.datetime | None) -> Timestamp | None:
    if time is None:
        return None
    made = Timestamp()
    made.FromDatetime(time)
    return made
