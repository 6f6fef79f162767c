"""Blocks of flows: what goes in comes out, and what is damaged is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mtd.codec.blocks.planes import Damaged
from mtd.codec.flows.block import MOST_RECORDS, decode_block, encode_block
from mtd.codec.flows.columns import ADDRESS

TYPES = ("u1", "u2", "u4", "u8", "i8", "address")


def column(kind: str, values: list[int]) -> NDArray[Any]:
    if kind == "address":
        made = np.zeros(len(values), ADDRESS)
        made["high"] = [value >> 32 for value in values]
        made["low"] = [(value * 7919) % 2**64 for value in values]
        return made
    bits = 63 if kind == "i8" else int(kind[1]) * 8
    return np.array([value % (1 << bits) for value in values], kind)


@given(
    columns=st.integers(1, 300).flatmap(
        lambda count: st.lists(
            st.tuples(
                st.sampled_from(TYPES),
                st.one_of(
                    st.lists(st.integers(0, 2**64 - 1), min_size=count, max_size=count),
                    st.integers(0, 2**64 - 1).map(lambda one: [one] * count),
                    st.lists(st.sampled_from([3, 2**40, 2**64 - 1]), min_size=count, max_size=count),
                ),
            ),
            min_size=1,
            max_size=6,
        )
    )
)
def test_what_goes_in_comes_out(columns: list[tuple[str, list[int]]]) -> None:
    given = {f"column_{place}": column(kind, values) for place, (kind, values) in enumerate(columns)}
    data = encode_block(given)
    count, found = decode_block(data)
    assert count == len(columns[0][1])
    assert list(found) == list(given)
    for name, was in given.items():
        assert found[name].dtype == was.dtype
        assert (found[name] == was).all()
    count, some = decode_block(data, {"column_0", "elsewhere"})
    assert list(some) == ["column_0"]


@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(0, 255))
def test_what_is_damaged_is_told_and_nothing_else_happens(noise: bytes, place: int, byte: int) -> None:
    data = bytearray(
        encode_block({"octets": np.arange(500, dtype=np.uint32), "protocol": np.ones(500, np.uint8)})
    )
    data[place % len(data)] = byte
    for damaged in (noise, bytes(data), bytes(data[: place % len(data)])):
        try:
            count, found = decode_block(damaged)
        except Damaged:
            continue
        assert all(len(one) == count for one in found.values())


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"octets": np.zeros(0, np.uint32)},
        {"octets": np.zeros(2, np.uint32), "packets": np.zeros(3, np.uint32)},
        {"octets": np.zeros(MOST_RECORDS + 1, np.uint8)},
        {"start_ms": np.array([-1], np.int64)},
    ],
)
def test_what_is_no_block_is_refused(columns: dict[str, NDArray[Any]]) -> None:
    with pytest.raises(ValueError, match="block"):
        encode_block(columns)


def test_what_repeats_costs_little() -> None:
    rng = np.random.default_rng(1)
    addresses = np.zeros(20_000, ADDRESS)
    addresses["low"] = rng.choice(rng.integers(0, 2**63, 200, dtype=np.uint64), 20_000)
    data = encode_block({"src_address": addresses, "protocol": np.full(20_000, 6, np.uint8)})
    assert len(data) < 20_000 * 1.2
