"""The moments of polls come back, in small arrays where polls were regular."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.blocks import decode_axis, encode_axis

HOUR_MS = 3_600_000


def moments(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@given(st.lists(st.integers(0, HOUR_MS - 1), max_size=200).map(sorted) | st.lists(st.just(77), max_size=5))
def test_any_moments_come_back(ms):
    ms = moments(*ms)
    axis = encode_axis(ms)
    again = decode_axis(axis)
    assert again.dtype == np.int64
    assert np.array_equal(again, ms)
    assert axis.polls == len(ms)
    assert -(2**31) <= axis.first_ms < 2**31
    assert -(2**31) <= axis.step_ms < 2**31
    assert axis.jitter is None or axis.jitter.dtype in (np.int8, np.int16, np.int32)


def test_regular_polls_need_no_jitter():
    axis = encode_axis(np.arange(137, HOUR_MS, 1000))
    assert (axis.polls, axis.first_ms, axis.step_ms) == (3600, 137, 1000)
    assert axis.jitter is None


def test_a_little_jitter_takes_a_byte():
    ms = np.arange(500, HOUR_MS, 1000) + np.random.default_rng(4).integers(-100, 101, 3600)
    axis = encode_axis(ms)
    assert axis.jitter is not None
    assert axis.jitter.dtype == np.int8
    assert axis.step_ms == 1000


def test_a_missing_poll_takes_two_bytes_each():
    ms = np.delete(np.arange(500, HOUR_MS, 1000), [17, 1800])
    axis = encode_axis(ms)
    assert axis.jitter is not None
    assert axis.jitter.dtype == np.int16
    assert np.array_equal(decode_axis(axis), ms)


def test_once_an_hour_is_an_interval():
    """Of one poll no interval can be told: over three hours there still is a rate."""
    axis = encode_axis(np.array([60_000]))
    assert (axis.polls, axis.step_ms) == (1, 3_600_000)
    assert decode_axis(axis).tolist() == [60_000]
