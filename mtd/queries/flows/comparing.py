"""Whether flows tell of all that went through interfaces: their octets beside the interfaces' own counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from mtd.codec.flows.tally import Keyed
from mtd.model.flows import DIMENSIONS
from mtd.queries.flows.keys import SUMMED, keyed
from mtd.queries.flows.naming import InterfaceName, devices_of, index_of, names_of
from mtd.queries.flows.reading import Scope, read_due_blocks, read_sums
from mtd.queries.flows.records import ComparedInterface
from mtd.queries.flows.tally import Tally
from mtd.queries.records import SeriesPoints
from mtd.storage.cold.connection import ColdConnection

RX, TX = "iface.rx_bytes_total", "iface.tx_bytes_total"
MOST_INTERFACES = 1000
"""Of one device: where each session is an interface there are thousands."""

_WAYS = (DIMENSIONS["in_interface"], DIMENSIONS["out_interface"])

Port = tuple[str, int]
"""A device, and the number of one of its interfaces."""


@dataclass(slots=True)
class ByFlows:
    """Octets in and out by interface, and what things are called."""

    octets: dict[Port, list[int]] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    names: dict[Port, InterfaceName] = field(default_factory=dict)


def read_by_flows(conn: ColdConnection, scope: Scope, most_keys: int) -> ByFlows:
    """Return what flows tell of interfaces. Raises TooManyFlows."""
    found = ByFlows()
    numbers: dict[str, int] = {}
    for place, way in enumerate(_WAYS):
        tally = Tally(2)
        for part in read_sums(conn, scope, way, most_keys):
            tally.add(_with_device(numbers, part.device_id, part.keyed))
        for block in read_due_blocks(conn, scope, {*SUMMED, *way.columns}):
            some = keyed(block.columns, block.records, way)
            if some is not None:
                tally.add(_with_device(numbers, block.device_id, some))
        ids = {number: device_id for device_id, number in numbers.items()}
        for (number, index), (octets, *_) in zip(*(one.tolist() for one in tally.all()), strict=True):
            found.octets.setdefault((ids[number], index), [0, 0])[place] = octets
    device_ids = {*scope.device_ids, *(device_id for device_id, _ in found.octets)}
    found.devices = {**dict.fromkeys(device_ids, ""), **devices_of(conn, scope.tenant_id, device_ids)}
    found.names = names_of(conn, scope.tenant_id, device_ids)
    return found


def counted(series: Iterable[SeriesPoints]) -> dict[int, dict[str, int]]:
    """Return how many bytes went through the interfaces of a device by their counters, by number and metric."""
    found: dict[int, dict[str, int]] = {}
    for one in series:
        index = index_of(one.instance)
        if index is not None:
            found.setdefault(index, {})[one.metric] = sum(map(int, one.increases))
    return found


def compared(
    flows: ByFlows, device_id: str, counters: Mapping[int, Mapping[str, int]]
) -> tuple[list[ComparedInterface], int]:
    """Return the interfaces of a device, the busiest first, and how many more there are."""
    numbers = {*counters, *(index for device, index in flows.octets if device == device_id)}
    found = []
    for index in numbers:
        name = flows.names.get((device_id, index))
        in_octets, out_octets = flows.octets.get((device_id, index), (0, 0))
        bytes_of = counters.get(index, {})
        found.append(
            ComparedInterface(
                device_id,
                flows.devices.get(device_id, ""),
                index,
                name.name if name is not None else "",
                in_octets,
                out_octets,
                bytes_of.get(RX),
                bytes_of.get(TX),
            )
        )
    found.sort(key=lambda one: (-_busy(one), one.index))
    return found[:MOST_INTERFACES], max(0, len(found) - MOST_INTERFACES)


def _with_device(numbers: dict[str, int], device_id: str, some: Keyed) -> Keyed:
    """Return keys with the device's number before them."""
    number = numbers.setdefault(device_id, len(numbers))
    return Keyed(np.column_stack((np.full(len(some.words), number, np.uint64), some.words)), some.sums)


def _busy(one: ComparedInterface) -> int:
    return max(one.in_octets + one.out_octets, (one.rx_bytes or 0) + (one.tx_bytes or 0))
