"""Whole hours come back exactly, whatever ways of packing their length and their noise lead to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.codec.blocks import decode_counters, decode_gauges, encode_counters, encode_gauges
from mtd.codec.blocks.integers import pack, unpack_from

LENGTHS = st.sampled_from([39, 40, 99, 100, 360, 499, 500, 3599, 3600, 3601])
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def hours(draw):
    """Any sum of noise, rare jumps, runs, and steps common to all, up to thrice summed."""
    length = draw(LENGTHS)
    random = np.random.default_rng(draw(SEEDS))
    bits = draw(st.integers(0, 63))
    values = random.integers(-(1 << bits), (1 << bits) - 1, length, endpoint=True)
    if draw(st.booleans()):
        values[random.random(length) < draw(st.sampled_from([0.1, 0.5, 0.9, 0.999]))] = draw(
            st.integers(-3, 3)
        )
    if draw(st.booleans()):
        values = np.repeat(values, random.integers(1, 30, length))[:length]
    if draw(st.booleans()):
        values[random.integers(0, length, 3)] = random.integers(-(2**63), 2**63 - 1, 3, endpoint=True)
    values <<= draw(st.sampled_from([0, 0, 0, 3, 12, 60]))
    for _ in range(draw(st.integers(0, 3))):
        values = np.cumsum(values)
    return values


@given(hours(), st.integers(1, 3))
@settings(max_examples=300, deadline=None)
def test_integers_come_back(values, orders):
    packed = b"before" + pack(values, orders)
    again, end = unpack_from(packed + b"after", 6, len(values))
    assert end == len(packed)
    assert np.array_equal(again, values)


@given(hours(), SEEDS, st.sampled_from([0.0, 0.001, 0.3, 0.99, 1.0]), st.booleans())
@settings(max_examples=200, deadline=None)
def test_counters_come_back(values, seed, share, dense):
    absent = np.random.default_rng(seed).random(len(values)) < share
    block = encode_counters(values, absent, dense=dense)
    again, gone = decode_counters(block, len(values))
    assert np.array_equal(again[~absent], values[~absent])
    assert np.array_equal(absent, np.zeros(len(values), dtype=bool) if gone is None else gone)


@given(hours(), SEEDS, st.sampled_from([1, 3, 10, 1000, 10**7]), st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_gauges_come_back(values, seed, divisor, dense, some_absent):
    values = values / divisor
    if some_absent:
        values[np.random.default_rng(seed).random(len(values)) < 0.2] = np.nan
    again = decode_gauges(encode_gauges(values, dense=dense), len(values))
    gone = np.isnan(values)
    assert np.array_equal(np.isnan(again), gone)
    assert np.array_equal(again[~gone].view(np.int64), values[~gone].view(np.int64))


@pytest.mark.parametrize("dense", [False, True])
def test_a_wrap_at_63_bits(dense):
    values = (np.arange(3600, dtype=np.uint64) * np.uint64(10**6) + np.uint64(2**63 - 10**9)).view(np.int64)
    assert values[0] > 0 > values[-1]
    again, absent = decode_counters(encode_counters(values, None, dense=dense), 3600)
    assert np.array_equal(again, values)
    assert absent is None


def test_sql_sums_no_delta_across_the_wrap():
    """A change beyond 64 bits looks small to arithmetic that wraps, which SQL's doesn't."""
    values = np.array([2**63 - 1, -(2**63), -(2**63) + 1] * 1200, dtype=np.int64)
    assert encode_counters(values, None).form == "o"
