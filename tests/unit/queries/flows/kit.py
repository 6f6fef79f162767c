"""Flow records as dictionaries, as columns, and added up by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtd.codec.flows import ADDRESS
from mtd.model.flows import Dimension, address_key

Record = Mapping[str, Any]
"""Column -> number, or an address as text. ``octets`` of none is 0, as is what isn't told of each other number."""

ADDRESSES = ("10.0.0.1", "10.0.0.2", "10.0.1.9", "192.0.2.77", "2001:db8::1", "2001:db8:0:1::1", "::")
KINDS: dict[str, Any] = {
    **dict.fromkeys(("src_address", "dst_address", "post_nat_src_address", "post_nat_dst_address"), ADDRESS),
    **dict.fromkeys(("src_port", "dst_port", "post_nat_src_port", "post_nat_dst_port"), np.uint16),
    **dict.fromkeys(("protocol", "traffic"), np.uint8),
    **dict.fromkeys(("src_country", "dst_country"), np.uint16),
    **dict.fromkeys(("in_interface", "out_interface", "src_as", "dst_as", "sampling"), np.uint32),
    **dict.fromkeys(("octets", "packets"), np.uint64),
    **dict.fromkeys(("start_ms", "end_ms"), np.int64),
}
_FEW = st.sampled_from((0, 1, 2, 443, 65_535))
_VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{name: st.sampled_from(ADDRESSES) for name, kind in KINDS.items() if kind is ADDRESS},
    **{name: _FEW for name, kind in KINDS.items() if kind is not ADDRESS},
    **dict.fromkeys(("protocol", "traffic"), st.sampled_from((1, 6, 17))),
    "sampling": st.sampled_from((0, 1, 100)),
    "octets": st.integers(0, 1 << 38),
    "packets": st.integers(0, 1 << 30),
}


def batches(*names: str, most: int = 12) -> st.SearchStrategy[list[Record]]:
    """Return records that all tell the same columns: some of these."""
    return st.sets(st.sampled_from(names)).flatmap(
        lambda told: st.lists(
            st.fixed_dictionaries({name: _VALUES[name] for name in sorted(told)}), min_size=1, max_size=most
        )
    )


def columns(records: Sequence[Record]) -> dict[str, NDArray[Any]]:
    """Return records as columns; all tell what the first one tells."""
    found = {}
    for name in records[0]:
        values = [record[name] for record in records]
        if KINDS[name] is ADDRESS:
            numbers = [int.from_bytes(address_key(value), "big") for value in values]
            found[name] = np.array([(one >> 64, one & (1 << 64) - 1) for one in numbers], ADDRESS)
        else:
            found[name] = np.array(values, KINDS[name])
    return found


def key_of(record: Record, dimension: Dimension) -> bytes | None:
    """Return a record's key; None if it has none."""
    if any(name not in record for name in dimension.columns):
        return None
    values = [record[name] for name in dimension.columns]
    return b"".join(
        address_key(value) if isinstance(value, str) else value.to_bytes(dimension.width, "big")
        for value in values
    )


def amounts_of(record: Record) -> tuple[int, int, int]:
    """Return octets, packets and flows that a record stands for."""
    rate = max(record.get("sampling", 0), 1)
    return record.get("octets", 0) * rate, record.get("packets", 0) * rate, 1


def added(some: Iterable[tuple[int, int, int]]) -> tuple[int, int, int]:
    """Return them all together."""
    octets = packets = flows = 0
    for one in some:
        octets, packets, flows = octets + one[0], packets + one[1], flows + one[2]
    return octets, packets, flows


def summed(records: Iterable[Record], dimension: Dimension) -> dict[bytes, tuple[int, int, int]]:
    """Return what records add up to by key."""
    found: dict[bytes, list[tuple[int, int, int]]] = {}
    for record in records:
        key = key_of(record, dimension)
        if key is not None:
            found.setdefault(key, []).append(amounts_of(record))
    return {key: added(some) for key, some in found.items()}
