"""Blocks give back every value exactly."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from mtd.codec.blocks import Block, decode_counters, decode_gauges, encode_counters, encode_gauges

INT64 = st.integers(-(2**63), 2**63 - 1)
EDGES = st.sampled_from([0, 1, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63), 2**31, -(2**31) - 1, 2**32])


@st.composite
def counters(draw):
    """Walks with steps of any size, which wrap around."""
    start = draw(INT64 | EDGES)
    scale = draw(st.sampled_from([0, 1, 100, 30_000, 2**22, 2**31, 2**34, 2**62]))
    steps = draw(st.lists(st.integers(-scale, scale) | EDGES, max_size=80))
    total = np.cumsum(np.array([start, *steps], dtype=object))
    return np.array([(int(value) + 2**63) % 2**64 - 2**63 for value in total], dtype=np.int64)


def check_shape(block: Block, polls: int, there: int) -> None:
    assert block.points == there
    if block.values is not None:
        assert len(block.values) == polls
    if block.absent is not None:
        assert block.values is not None
        assert not block.values[block.absent].any()
    assert bool(block.packed) == (block.form == "z")
    assert -(2**63) <= block.base < 2**63
    assert 1 <= block.divisor < 2**31
    if block.form == "d":
        assert block.values.dtype.itemsize <= 4


@given(counters() | nps.arrays(np.int64, st.integers(0, 40)), st.data(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_counters_come_back(values, data, dense):
    absent = data.draw(st.none() | nps.arrays(np.bool_, len(values)))
    block = encode_counters(values, absent, dense=dense)
    gone = np.zeros(len(values), dtype=bool) if absent is None else absent
    check_shape(block, len(values), int((~gone).sum()))
    again, still_gone = decode_counters(block, len(values))
    assert again.dtype == np.int64
    assert np.array_equal(again, np.where(gone, 0, values))
    assert np.array_equal(np.zeros(len(values), dtype=bool) if still_gone is None else still_gone, gone)


FLOATS = st.one_of(
    st.floats(allow_nan=True),
    st.sampled_from([0.0, -0.0, float("inf"), float("-inf"), 5e-324, 1.7e308, 2.0**53, 2.0**53 + 2]),
    st.integers(-(10**6), 10**6).map(lambda tenths: tenths / 10),
)
GAUGES = (
    nps.arrays(np.float64, st.integers(0, 40), elements=FLOATS)
    | nps.arrays(np.int32, st.integers(0, 40)).map(lambda values: values / 10)
    | nps.arrays(np.int16, st.integers(0, 40)).map(lambda values: values / 3)
    | st.builds(lambda value, count: np.full(count, value), FLOATS, st.integers(0, 30))
)


@given(GAUGES, st.data(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_gauges_come_back_bit_by_bit(values, data, dense):
    values = values.copy()
    values[data.draw(nps.arrays(np.bool_, len(values), elements=st.just(False) | st.booleans()))] = np.nan
    block = encode_gauges(values, dense=dense)
    gone = np.isnan(values)
    check_shape(block, len(values), int((~gone).sum()))
    again = decode_gauges(block, len(values))
    assert np.array_equal(np.isnan(again), gone)
    assert np.array_equal(again[~gone].view(np.int64), values[~gone].view(np.int64))
