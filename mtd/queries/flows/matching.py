"""Which records of a block are meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mtd.model.flows import MINUTE_US
from mtd.queries.flows.keys import Columns
from mtd.queries.flows.records import FlowFilter, Network, SearchQuestion

Mask: TypeAlias = NDArray[np.bool_]

_CONDITIONS = {
    "address": ("src_address", "dst_address"),
    "src_address": ("src_address",),
    "dst_address": ("dst_address",),
    "port": ("src_port", "dst_port"),
    "src_port": ("src_port",),
    "dst_port": ("dst_port",),
    "protocol": ("protocol",),
    "interface": ("in_interface", "out_interface"),
    "in_interface": ("in_interface",),
    "out_interface": ("out_interface",),
}
"""Conditions of a filter, and the columns of which one has to be so."""

# An address and its port. What translates addresses and tells of no port of its own leaves that as it is.
_ENDS = (
    ("src_address", ("src_port",)),
    ("dst_address", ("dst_port",)),
    ("post_nat_src_address", ("post_nat_src_port", "src_port")),
    ("post_nat_dst_address", ("post_nat_dst_port", "dst_port")),
)
_ADDRESSES = tuple(address for address, _ in _ENDS)
_PORTS = tuple(ports[0] for _, ports in _ENDS)
SEARCHED = frozenset({*_ADDRESSES, *_PORTS, "protocol", "start_ms", "end_ms"})
"""Columns that ``found_by`` looks at."""

_MINUTE_MS = MINUTE_US // 1000
_MAPPED_BITS, _MAPPED = 96, 0xFFFF << 32
_LOW = (1 << 64) - 1


def columns_of(where: FlowFilter) -> set[str]:
    """Return the columns that a filter looks at."""
    return {name for names, _ in _conditions(where) for name in names}


def chosen_by(where: FlowFilter, columns: Columns, count: int) -> Mask:
    """Return which records a filter means; those that don't tell what it asks for are none of them."""
    found = np.ones(count, np.bool_)
    for names, wanted in _conditions(where):
        found &= _any_is(columns, count, names, wanted)
    return found


def found_by(asked: SearchQuestion, columns: Columns, count: int, received_us: int) -> Mask:
    """Return which records somebody looks for. ``received_us``: a time of the minute in which they came."""
    begin, end = times_of(columns, count, received_us)
    found = (begin <= asked.last_ms) & (end >= asked.first_ms)
    if asked.protocol is not None:
        found &= _any_is(columns, count, ("protocol",), asked.protocol)
    if asked.address is None:
        return found if asked.port is None else found & _any_is(columns, count, _PORTS, asked.port)
    address = np.zeros(count, np.bool_)
    network = _network(asked.address)
    for name, ports in _ENDS:
        if name not in columns:
            continue
        here = _within(columns[name], *network)
        if asked.port is not None:
            port = next((port for port in ports if port in columns), None)
            here &= columns[port] == asked.port if port is not None else np.False_
        address |= here
    return found & address


def times_of(columns: Columns, count: int, received_us: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return when records began and ended, in milliseconds; what doesn't tell counts by the minute in which it came."""
    minute_ms = received_us // MINUTE_US * _MINUTE_MS
    zeros = np.zeros(count, np.int64)
    start, end = columns.get("start_ms", zeros), columns.get("end_ms", zeros)
    end = np.where(end > 0, end, minute_ms + _MINUTE_MS - 1)
    start = np.where(start > 0, start, minute_ms)
    return np.minimum(start, end), np.maximum(start, end)


def _conditions(where: FlowFilter) -> Iterator[tuple[tuple[str, ...], int | Network]]:
    for condition, names in _CONDITIONS.items():
        wanted = getattr(where, condition)
        if wanted is not None:
            yield names, wanted


def _any_is(columns: Columns, count: int, names: tuple[str, ...], wanted: int | Network) -> Mask:
    found = np.zeros(count, np.bool_)
    for name in names:
        if name in columns:
            column = columns[name]
            found |= column == wanted if isinstance(wanted, int) else _within(column, *_bits(wanted))
    return found


def _bits(network: Network) -> tuple[int, int]:
    """Return a network's first address, of 128 bits, and its mask."""
    length = network.prefixlen + (_MAPPED_BITS if network.version == 4 else 0)
    first = int(network.network_address) | (_MAPPED if network.version == 4 else 0)
    return first, (1 << 128) - (1 << 128 - length)


def _network(address: Any) -> tuple[int, int]:
    return int(address) | (_MAPPED if address.version == 4 else 0), (1 << 128) - 1


def _within(column: NDArray[Any], first: int, mask: int) -> Mask:
    high = column["high"] & np.uint64(mask >> 64) == np.uint64(first >> 64)
    found: Mask = high & (column["low"] & np.uint64(mask & _LOW) == np.uint64(first & _LOW))
    return found
