"""What callers of FlowService ask for, checked."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from mtd.core.errors import Refused
from mtd.model.flows import DIMENSIONS, Dimension
from mtd.pb.flows.v1 import flow_service_pb2 as pb
from mtd.queries.flows.records import (
    Address,
    FlowFilter,
    Network,
    Order,
    SearchQuestion,
    SeriesQuestion,
    TopQuestion,
)

DEFAULT_PAGE = 100
MAX_PAGE = 1000
_DEFAULT_ROWS = 10
_DEFAULT_SERIES = 5
_DEFAULT_STEP_S = 60
_HOUR_US = 3_600_000_000
_LATEST_S = 4_102_444_800
_MOST = {"port": 65_535, "src_port": 65_535, "dst_port": 65_535, "protocol": 255}
_NETWORKS = ("address", "src_address", "dst_address")

_ORDERS: Mapping[int, Order] = MappingProxyType(
    {
        pb.FLOW_ORDER_UNSPECIFIED: Order.OCTETS,
        pb.FLOW_ORDER_OCTETS: Order.OCTETS,
        pb.FLOW_ORDER_PACKETS: Order.PACKETS,
        pb.FLOW_ORDER_FLOWS: Order.FLOWS,
    }
)


def top_question_of(request: pb.ListTopFlowsRequest, now_us: int) -> TopQuestion:
    """Return what is asked for. Raises Refused."""
    start_us, end_us = span_of(request, now_us)
    return TopQuestion(
        _dimension(request.dimension),
        start_us,
        end_us,
        tuple(request.devices),
        request.limit or _DEFAULT_ROWS,
        _order(request.order_by),
        filter_of(request.filter),
    )


def series_question_of(request: pb.GetFlowSeriesRequest, now_us: int) -> SeriesQuestion:
    """Return what is asked for. Raises Refused."""
    start_us, end_us = span_of(request, now_us)
    return SeriesQuestion(
        _dimension(request.dimension),
        start_us,
        end_us,
        request.step_s or _DEFAULT_STEP_S,
        tuple(request.devices),
        request.limit or _DEFAULT_SERIES,
        _order(request.order_by),
    )


def search_of(request: pb.SearchFlowsRequest) -> SearchQuestion:
    """Return what is looked for. Raises Refused."""
    if not request.HasField("time"):
        raise Refused("time: say when")
    return SearchQuestion(
        _us(request.time, "time"),
        _address(request.address) if request.address else None,
        _number(request, "port"),
        _number(request, "protocol"),
        request.window_s,
        tuple(request.devices),
    )


def filter_of(message: pb.FlowFilter) -> FlowFilter:
    """Return the conditions of a filter. Raises Refused."""
    given: dict[str, Any] = {
        name: _network(getattr(message, name), name) for name in _NETWORKS if getattr(message, name)
    }
    for one in message.DESCRIPTOR.fields:
        if one.name not in _NETWORKS:
            given[one.name] = _number(message, one.name)
    return FlowFilter(**given)


def span_of(request: Any, now_us: int) -> tuple[int, int]:
    """Return start and end of a request; the last hour if it says none. Raises Refused."""
    end_us = _us(request.end_time, "end_time") if request.HasField("end_time") else now_us
    start_us = (
        _us(request.start_time, "start_time") if request.HasField("start_time") else max(0, end_us - _HOUR_US)
    )
    if start_us >= end_us:
        raise Refused("end_time: isn't after start_time")
    return start_us, end_us


def _dimension(name: str) -> Dimension:
    found = DIMENSIONS.get(name)
    if found is None:
        raise Refused(f"dimension: {name!r} is none of {', '.join(DIMENSIONS)}")
    return found


def _order(number: int) -> Order:
    if number not in _ORDERS:
        raise Refused(
            f"order_by: name one of {', '.join(pb.FlowOrder.Name(one) for one in pb.FlowOrder.values() if one)}"
        )
    return _ORDERS[number]


def _number(message: Any, name: str) -> int | None:
    if not message.HasField(name):
        return None
    number = int(getattr(message, name))
    if number > _MOST.get(name, number):
        raise Refused(f"{name}: {number} is more than {_MOST[name]}")
    return number


def _network(text: str, name: str) -> Network:
    try:
        if "%" in text:
            raise ValueError("a zone")
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise Refused(f"{name}: {text!r} is neither an address nor a prefix such as 192.0.2.0/24") from None


def _address(text: str) -> Address:
    try:
        if "%" in text:
            raise ValueError("a zone")
        return ipaddress.ip_address(text)
    except ValueError:
        raise Refused(f"address: {text!r} is no address") from None


def _us(time: Timestamp, name: str) -> int:
    if not 0 <= time.seconds < _LATEST_S:
        raise Refused(f"{name}: isn't between 1970 and 2100")
    return time.seconds * 1_000_000 + time.nanos // 1000
