from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.blocks.planes import Damaged
from mtd.flowsums.tally import Amounts, Tally, grouped, packed, product, total, unpacked
from mtd.model.flows import DIMENSIONS

WORD = st.integers(0, 2**64 - 1)


@given(
    st.lists(st.tuples(WORD | st.integers(0, 2), st.integers(0, 2), WORD | st.integers(0, 1)), max_size=50)
)
def test_equal_keys_are_one_group_in_the_order_of_keys(keys: list[tuple[int, ...]]) -> None:
    words = np.array(keys, np.uint64).reshape(-1, 3)
    first, group = grouped(words)
    assert [keys[place] for place in first] == sorted(set(keys))
    assert [keys[first[one]] for one in group] == keys


@given(st.lists(WORD, max_size=50))
def test_a_total_is_exact_beyond_64_bits(numbers: list[int]) -> None:
    assert total(np.array(numbers, np.uint64)) == sum(numbers)


@given(st.lists(st.tuples(WORD, st.integers(0, 2**32 - 1)), max_size=50))
def test_a_product_is_exact_beyond_64_bits(pairs: list[tuple[int, int]]) -> None:
    numbers, factors = (np.array([pair[place] for pair in pairs], np.uint64) for place in (0, 1))
    assert product(numbers, factors) == sum(number * factor for number, factor in pairs)


@given(st.sampled_from([one for one in DIMENSIONS.values() if one.columns]), st.data())
def test_keys_come_back(dimension: object, data: st.DataObject) -> None:
    width = dimension.width  # type: ignore[attr-defined]
    raw = data.draw(st.lists(st.binary(min_size=width, max_size=width), max_size=9))
    whole = b"".join(raw)
    assert packed(unpacked(whole, width), width) == whole


def test_keys_that_are_cut_off_are_noticed() -> None:
    with pytest.raises(Damaged):
        unpacked(b"abc", 2)


def test_many_parts_are_one_sum() -> None:
    """So many that they are added up in between."""
    tally = Tally(DIMENSIONS["src_as"])
    ones = np.ones(50_000, np.int64)
    for part in range(20):
        keys = np.arange(50_000, dtype=np.uint64).reshape(-1, 1) + np.uint64(part % 3)
        tally.add(keys, Amounts(ones * 10, ones * 2, ones))
    sums = tally.largest(7)
    assert sums is not None
    assert (sums.volume.octets, sums.volume.packets, sums.volume.flows) == (10_000_000, 2_000_000, 1_000_000)
    assert sums.amounts.octets.tolist() == [200] * 7
    assert sums.keys == b"".join(key.to_bytes(4, "big") for key in range(2, 9))  # of equals the lowest
    assert sums.other_keys == 50_002 - 7


def test_nothing_has_no_sums() -> None:
    assert Tally(DIMENSIONS["protocol"]).largest() is None
