"""What PostgreSQL has of flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

_BLOCKS = (
    "SELECT coalesce(sum(records), 0)::int8, coalesce(sum(octets), 0)::int8, coalesce(sum(packets), 0)::int8,"
    " coalesce(sum(octet_length(block)), 0)::int8 FROM mtd.flow_block"
)
_DUE = "SELECT count(*) FROM mtd.flow_due WHERE bucket_s = 60"
_SUMMED = "SELECT coalesce(sum(coalesce(flows[1], 0) + other_flows), 0)::int8 FROM mtd.flow_sum_1m WHERE dimension = 'total'"
_SUMS = (
    "SELECT dimension, sum((SELECT sum(one) FROM unnest(octets) one) + other_octets)::int8,"
    " sum((SELECT sum(one) FROM unnest(packets) one) + other_packets)::int8,"
    " sum((SELECT sum(one) FROM unnest(flows) one) + other_flows)::int8 FROM mtd.flow_sum_1m GROUP BY dimension"
)
_PROTOCOLS = "SELECT keys, octets FROM mtd.flow_sum_1m WHERE dimension = 'protocol'"


@dataclass(frozen=True, slots=True)
class Sums:
    """Of all minutes and exporters."""

    octets: int = 0
    packets: int = 0
    flows: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """Blocks, and what the sums by the minute add up to; ``by_dimension``: octets of those that all records have."""

    records: int
    octets: int
    packets: int
    block_bytes: int
    minutes_due: int = 0
    sums: Sums = field(default_factory=Sums)
    by_dimension: Mapping[str, int] = field(default_factory=dict)
    by_protocol: Mapping[int, int] = field(default_factory=dict)


def is_summed(connection: psycopg.Connection[Any], records: int) -> bool:
    """Whether no minute is due, and so many records are in the sums: asked again and again, it must cost little."""
    due, summed = connection.execute(_DUE).fetchone(), connection.execute(_SUMMED).fetchone()
    assert due is not None
    assert summed is not None
    return not due[0] and summed[0] >= records


def count_stored(connection: psycopg.Connection[Any], *, sums: bool) -> Stored:
    """Count blocks, and what they were summed up to if that is wanted."""
    blocks = connection.execute(_BLOCKS).fetchone()
    assert blocks is not None
    if not sums:
        return Stored(*blocks)
    due = connection.execute(_DUE).fetchone()
    assert due is not None
    minutes_due: int = due[0]
    found = {name: Sums(*told) for name, *told in connection.execute(_SUMS)}
    total = found.pop("total", Sums())
    complete = {name: one.octets for name, one in found.items() if one.flows == total.flows}
    protocols: dict[int, int] = {}
    for keys, octets in connection.execute(_PROTOCOLS):
        for key, one in zip(bytes(keys), octets, strict=True):
            protocols[key] = protocols.get(key, 0) + one
    return replace(
        Stored(*blocks), minutes_due=minutes_due, sums=total, by_dimension=complete, by_protocol=protocols
    )
