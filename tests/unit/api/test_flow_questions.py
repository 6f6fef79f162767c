"""What callers of FlowService may ask for."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from mtd.api.grpc.flow_questions import filter_of, search_of, series_question_of, span_of, top_question_of
from mtd.core.errors import Refused
from mtd.pb.flows.v1 import flow_service_pb2 as pb
from mtd.queries.flows.records import FlowFilter, Order

NOW = 1_795_000_000_000_000
HOUR = 3_600_000_000


def test_the_last_hour_is_asked_for_unless_told_otherwise() -> None:
    assert span_of(pb.ListTopFlowsRequest(), NOW) == (NOW - HOUR, NOW)
    assert span_of(pb.ListTopFlowsRequest(end_time=Timestamp(seconds=5000)), NOW) == (
        1_400_000_000,
        5_000_000_000,
    )
    assert span_of(pb.ListTopFlowsRequest(end_time=Timestamp(seconds=9)), NOW) == (0, 9_000_000)
    assert span_of(pb.ListTopFlowsRequest(start_time=Timestamp(seconds=9, nanos=1500)), NOW) == (
        9_000_001,
        NOW,
    )


def test_what_isnt_given_has_a_default() -> None:
    top = top_question_of(pb.ListTopFlowsRequest(dimension="total"), NOW)
    assert (top.limit, top.order, top.where, top.devices) == (10, Order.OCTETS, FlowFilter(), ())
    series = series_question_of(pb.GetFlowSeriesRequest(dimension="total"), NOW)
    assert (series.limit, series.step_s) == (5, 60)
    assert filter_of(pb.FlowFilter(src_port=0, out_interface=0)) == FlowFilter(src_port=0, out_interface=0)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (pb.ListTopFlowsRequest(), "dimension: '' is none of total, src_address"),
        (pb.ListTopFlowsRequest(dimension="x"), "dimension"),
        (pb.ListTopFlowsRequest(dimension="total", order_by=9), "FLOW_ORDER_OCTETS, "),  # type: ignore[arg-type]
        (
            pb.ListTopFlowsRequest(dimension="total", start_time=Timestamp(seconds=-1)),
            "between 1970 and 2100",
        ),
        (
            pb.ListTopFlowsRequest(
                dimension="total", start_time=Timestamp(seconds=5), end_time=Timestamp(seconds=5)
            ),
            "isn't after start_time",
        ),
        (pb.ListTopFlowsRequest(dimension="total", filter=pb.FlowFilter(port=65_536)), "port: 65536 is more"),
        (pb.ListTopFlowsRequest(dimension="total", filter=pb.FlowFilter(protocol=256)), "protocol: 256"),
        (pb.ListTopFlowsRequest(dimension="total", filter=pb.FlowFilter(address="10.0.0.0/33")), "address"),
    ],
)
def test_what_cant_be_ranked_is_refused(request_: Any, why: str) -> None:
    with pytest.raises(Refused, match=why):
        top_question_of(request_, NOW)


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (pb.SearchFlowsRequest(port=1), "time: say when"),
        (pb.SearchFlowsRequest(time=Timestamp(seconds=1), address="10.0.0.0/24"), "no address"),
        (pb.SearchFlowsRequest(time=Timestamp(seconds=1), port=70_000), "port"),
        (pb.SearchFlowsRequest(time=Timestamp(seconds=1), protocol=256), "protocol"),
    ],
)
def test_what_cant_be_looked_for_is_refused(request_: pb.SearchFlowsRequest, why: str) -> None:
    with pytest.raises(Refused, match=why):
        search_of(request_)
