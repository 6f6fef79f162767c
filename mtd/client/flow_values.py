"""Flows as calls give them back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mtd.client.values import moment
from mtd.pb.flows.v1 import flow_service_pb2 as pb


@dataclass(frozen=True, slots=True)
class Amounts:
    """What flows add up to."""

    octets: int
    packets: int
    flows: int


@dataclass(frozen=True, slots=True)
class TopRow:
    """One key, and its part of the total, 0 to 1."""

    key: str
    label: str
    amounts: Amounts
    share: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """The largest first; ``start`` and ``end`` are what was counted."""

    rows: Sequence[TopRow]
    others: Amounts
    total: Amounts
    start: dt.datetime
    end: dt.datetime


@dataclass(frozen=True, slots=True)
class Series:
    """One key over time."""

    key: str
    label: str
    octets: Sequence[int]
    packets: Sequence[int]
    flows: Sequence[int]


@dataclass(frozen=True, slots=True)
class OverTime:
    """The largest over time, and all others. ``times``: when steps of ``step_s`` seconds begin."""

    times: Sequence[dt.datetime]
    step_s: int
    series: Sequence[Series]
    others: Series


@dataclass(frozen=True, slots=True)
class FlowRecord:
    """A record as its exporter told it: what it didn't tell is None, or empty; see ``FlowRecord`` in the protocol."""

    time: dt.datetime
    device_id: str
    device: str
    exporter: str
    start: dt.datetime | None
    end: dt.datetime | None
    src_address: str
    dst_address: str
    src_port: int | None
    dst_port: int | None
    protocol: int | None
    octets: int | None
    packets: int | None
    sampling: int | None
    post_nat_src_address: str
    post_nat_dst_address: str
    post_nat_src_port: int | None
    post_nat_dst_port: int | None
    in_interface: int | None
    out_interface: int | None
    in_interface_name: str
    out_interface_name: str
    next_hop: str
    tcp_flags: int | None
    more: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FlowRecords:
    """A page of records, what came last first; an empty token ends the list."""

    flows: Sequence[FlowRecord]
    next_page_token: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class ComparedInterface:
    """An interface by flows and by its own counters; see ``ComparedInterface`` in the protocol."""

    device_id: str
    device: str
    index: int
    name: str
    in_octets: int
    out_octets: int
    rx_bytes: int | None
    tx_bytes: int | None
    in_ratio: float | None
    out_ratio: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Interfaces by the names of devices, the busiest of each first; ``left_out``: how many more there are."""

    interfaces: Sequence[ComparedInterface]
    left_out: int
    start: dt.datetime
    end: dt.datetime


def ranking_of(answer: pb.ListTopFlowsResponse) -> Ranking:
    """Return a ranking of the protocol."""
    return Ranking(
        tuple(TopRow(row.key, row.label, _amounts(row.amounts), row.share) for row in answer.rows),
        _amounts(answer.others),
        _amounts(answer.total),
        answer.start_time.ToDatetime(dt.UTC),
        answer.end_time.ToDatetime(dt.UTC),
    )


def _amounts(amounts: pb.FlowAmounts) -> Amounts:
    return Amounts(amounts.octets, amounts.packets, amounts.flows)


def over_time_of(answer: pb.GetFlowSeriesResponse) -> OverTime:
    """Return series of the protocol."""
    return OverTime(
        tuple(map(moment, answer.times_us)),
        answer.step_s,
        tuple(map(_series, answer.series)),
        _series(answer.others),
    )


def _series(one: pb.FlowSeries) -> Series:
    return Series(one.key, one.label, tuple(one.octets), tuple(one.packets), tuple(one.flows))


def records_of(answer: pb.SearchFlowsResponse) -> FlowRecords:
    """Return a page of records of the protocol."""
    return FlowRecords(tuple(map(_record, answer.flows)), answer.next_page_token, answer.truncated)


def _record(one: pb.FlowRecord) -> FlowRecord:
    told = partial(_told, one)
    return FlowRecord(
        time=one.receive_time.ToDatetime(dt.UTC),
        device_id=one.device_id,
        device=one.device,
        exporter=one.exporter,
        start=_time(one, "start_time"),
        end=_time(one, "end_time"),
        src_address=one.src_address,
        dst_address=one.dst_address,
        src_port=told("src_port"),
        dst_port=told("dst_port"),
        protocol=told("protocol"),
        octets=told("octets"),
        packets=told("packets"),
        sampling=told("sampling"),
        post_nat_src_address=one.post_nat_src_address,
        post_nat_dst_address=one.post_nat_dst_address,
        post_nat_src_port=told("post_nat_src_port"),
        post_nat_dst_port=told("post_nat_dst_port"),
        in_interface=told("in_interface"),
        out_interface=told("out_interface"),
        in_interface_name=one.in_interface_name,
        out_interface_name=one.out_interface_name,
        next_hop=one.next_hop,
        tcp_flags=told("tcp_flags"),
        more=dict(one.more),
    )


def comparison_of(answer: pb.CompareFlowsWithInterfacesResponse) -> Comparison:
    """Return a comparison of the protocol."""
    return Comparison(
        tuple(map(_interface, answer.interfaces)),
        answer.left_out,
        answer.start_time.ToDatetime(dt.UTC),
        answer.end_time.ToDatetime(dt.UTC),
    )


def _interface(one: pb.ComparedInterface) -> ComparedInterface:
    told = partial(_told, one)
    return ComparedInterface(
        one.device_id,
        one.device,
        one.index,
        one.name,
        one.in_octets,
        one.out_octets,
        told("rx_bytes"),
        told("tx_bytes"),
        told("in_ratio"),
        told("out_ratio"),
    )


def _told(message: Any, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _time(message: Any, name: str) -> dt.datetime | None:
    return getattr(message, name).ToDatetime(dt.UTC) if message.HasField(name) else None
