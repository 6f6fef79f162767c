"""Sums by key, against a plain loop, however they are cut into pieces."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.blocks.planes import Damaged
from mtd.codec.flows import tally as module
from mtd.codec.flows.tally import Keyed, Tally, grouped, pack_keys, summed, unpack_keys, words_of

WORD = st.integers(0, 2**64 - 1)
# Alike, far apart, and such as share most of their bits, as addresses do.
KEY = st.tuples(
    WORD | st.integers(0, 2), st.integers(0, 2), st.integers(2**40, 2**40 + 9), WORD | st.integers(0, 1)
)
SUM = st.integers(0, 2**50)


@given(st.lists(KEY, max_size=50), st.integers(0, 4))
def test_equal_keys_are_one_group_in_the_order_of_keys(keys: list[tuple[int, ...]], narrow: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_NARROW", narrow)
        words = np.array(keys, np.uint64).reshape(-1, 4)
        first, group = grouped(words)
    assert [keys[place] for place in first] == sorted(set(keys))
    assert [keys[first[one]] for one in group] == keys
    assert [keys.index(key) for key in sorted(set(keys))] == first.tolist()


@given(st.lists(st.lists(st.tuples(KEY, SUM, SUM), max_size=9), max_size=5), st.sampled_from((0, 3, 1000)))
def test_pieces_are_one_sum(pieces: list[list[tuple[tuple[int, ...], int, int]]], at_once: int) -> None:
    expected: dict[tuple[int, ...], list[int]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_AT_ONCE", at_once)
        tally = Tally(4)
        for piece in pieces:
            words = np.array([key for key, *_ in piece], np.uint64).reshape(-1, 4)
            sums = np.array([(*amounts, 1) for _, *amounts in piece], np.int64).reshape(-1, 3)
            tally.add(Keyed(words, sums))
            for key, *amounts in piece:
                known = expected.setdefault(key, [0, 0, 0])
                known[:] = (one + more for one, more in zip(known, (*amounts, 1), strict=True))
        words, sums = tally.all()
        assert [tuple(key) for key in words.tolist()] == sorted(expected)
        assert sums.tolist() == [expected[key] for key in sorted(expected)]
        assert tally.known == len(expected)
        for place in range(3):
            best = sorted(expected, key=lambda key: (-expected[key][place], key))[:3]
            assert [tuple(key) for key in tally.largest(3, place).words.tolist()] == best


def test_sums_are_exact_up_to_63_bits() -> None:
    keys = np.zeros((2, 1), np.uint64)
    found = summed(Keyed(keys, np.array([[2**63 - 2, 2**53, 1], [1, 1, 1]])))
    assert found.sums.tolist() == [[2**63 - 1, 2**53 + 1, 2]]


def test_nothing_adds_up_to_nothing() -> None:
    assert not len(summed(Keyed(np.zeros((0, 2), np.uint64), np.zeros((0, 3), np.int64))).words)
    assert not len(Tally(2).largest(5).words)


@given(st.sampled_from((0, 1, 2, 4, 8, 16, 32)), st.data())
def test_keys_are_packed_as_they_were(width: int, data: st.DataObject) -> None:
    each = data.draw(st.lists(st.binary(min_size=width, max_size=width), max_size=9))
    words = unpack_keys(b"".join(each), width, len(each))
    assert words.shape == (len(each), words_of(width))
    assert pack_keys(words, width) == b"".join(each)
    first, _ = grouped(words)
    assert [each[place] for place in first] == sorted(set(each))  # they sort as keys do


@pytest.mark.parametrize(
    ("data", "width", "count"), [(b"abc", 2, 1), (b"abcd", 2, 1), (b"", 4, 1), (b"x", 0, 1)]
)
def test_keys_that_are_cut_off_are_noticed(data: bytes, width: int, count: int) -> None:
    with pytest.raises(Damaged, match=f"are not {count} keys of {width}"):
        unpack_keys(data, width, count)
