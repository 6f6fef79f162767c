from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtd.flowsums.tally import Amounts, Tally, product, total
from mtd.model.flows import DIMENSIONS

WORD = st.integers(0, 2**64 - 1)


@given(st.lists(WORD, max_size=50))
def test_a_total_is_exact_beyond_64_bits(numbers: list[int]) -> None:
    assert total(np.array(numbers, np.uint64)) == sum(numbers)


@given(st.lists(st.tuples(WORD, st.integers(0, 2**32 - 1)), max_size=50))
def test_a_product_is_exact_beyond_64_bits(pairs: list[tuple[int, int]]) -> None:
    numbers, factors = (np.array([pair[place] for pair in pairs], np.uint64) for place in (0, 1))
    assert product(numbers, factors) == sum(number * factor for number, factor in pairs)


def test_many_parts_are_one_sum() -> None:
    """So many that they are added up in between."""
    tally = Tally(DIMENSIONS["src_as"])
    ones = np.ones(50_000, np.int64)
    for part in range(20):
        keys = np.arange(50_000, dtype=np.uint64).reshape(-1, 1) + np.uint64(part % 3)
        tally.add(Amounts(ones * 10, ones * 2, ones).of(keys))
    sums = tally.largest(7)
    assert sums is not None
    assert (sums.volume.octets, sums.volume.packets, sums.volume.flows) == (10_000_000, 2_000_000, 1_000_000)
    assert sums.amounts.octets.tolist() == [200] * 7
    assert sums.keys == b"".join(key.to_bytes(4, "big") for key in range(2, 9))  # of equals the lowest
    assert sums.other_keys == 50_002 - 7


def test_nothing_has_no_sums() -> None:
    assert Tally(DIMENSIONS["protocol"]).largest() is None
