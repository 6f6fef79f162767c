"""Flow records as plain dictionaries, and their sums with nothing but Python's integers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mtd.codec.flows.block import encode_block
from mtd.codec.flows.columns import ADDRESS
from mtd.flowsums.tally import Sums, Volume
from mtd.model.flows import DIMENSIONS, Dimension

Record = Mapping[str, int]
"""A number for each column; addresses as 128-bit ones."""
Plain = tuple[list[tuple[bytes, int, int, int]], tuple[int, int, int, int]]
"""Keys with octets, packets and flows, the largest first; then of all others how many, octets, packets and flows."""

TYPES = {
    "octets": "u8",
    "packets": "u4",
    "sampling": "u4",
    "src_port": "u2",
    "dst_port": "u2",
    "protocol": "u1",
    "src_as": "u4",
    "dst_as": "u4",
    "in_interface": "u4",
    "out_interface": "u4",
    "src_country": "u2",
    "dst_country": "u2",
    "traffic": "u1",
}
"""How wide columns are sent; what isn't named is an address."""
ADDRESSES = ("src_address", "dst_address")


def block_of(records: Sequence[Record], types: Mapping[str, str] = TYPES) -> bytes:
    """Pack records that have the same columns."""
    columns = {}
    for name in records[0]:
        values = [record[name] for record in records]
        if name in ADDRESSES:
            pairs = [(value >> 64, value & (2**64 - 1)) for value in values]
            columns[name] = np.array(pairs, ADDRESS)
        else:
            columns[name] = np.array(values, types[name])
    return encode_block(columns)


def estimated(record: Record) -> tuple[int, int]:
    """Return octets and packets that a record stands for."""
    factor = max(record.get("sampling", 0), 1)
    return record.get("octets", 0) * factor, record.get("packets", 0) * factor


def told(records: Sequence[Record]) -> Volume:
    """Return what an event says of records."""
    pairs = [estimated(record) for record in records]
    return Volume(sum(octets for octets, _ in pairs), sum(packets for _, packets in pairs), len(records))


def key_of(record: Record, dimension: Dimension) -> bytes | None:
    """Return the key of a record; None if it has none."""
    if not set(dimension.columns) <= record.keys():
        return None
    each = dimension.width // max(len(dimension.columns), 1)
    return b"".join(record[name].to_bytes(each, "big") for name in dimension.columns)


def sums_of(records: Iterable[Record], name: str, kept: int) -> Plain:
    """Return what records add up to by a dimension."""
    sums: dict[bytes, list[int]] = defaultdict(lambda: [0, 0, 0])
    for record in records:
        key = key_of(record, DIMENSIONS[name])
        if key is not None:
            for place, amount in enumerate((*estimated(record), 1)):
                sums[key][place] += amount
    ordered = sorted(((key, *amounts) for key, amounts in sums.items()), key=lambda one: (-one[1], one[0]))
    rest = ordered[kept:]
    others = (len(rest), *(sum(one[place] for one in rest) for place in (1, 2, 3)))
    return ordered[:kept], others  # type: ignore[return-value]


def plain_of(sums: Sums, width: int) -> Plain:
    """Return sums as plain ones."""
    amounts = sums.amounts
    count = len(amounts)
    keys = [sums.keys[place * width : (place + 1) * width] for place in range(count)]
    assert len(sums.keys) == count * width
    rows = zip(keys, amounts.octets.tolist(), amounts.packets.tolist(), amounts.flows.tolist(), strict=True)
    others = sums.others
    return list(rows), (sums.other_keys, others.octets, others.packets, others.flows)
