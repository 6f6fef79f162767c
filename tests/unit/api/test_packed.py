"""Packed fields from arrays, read by protobuf."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtd.api.grpc.packed import packed_doubles, packed_int64s
from mtd.pb.telemetry.v1.telemetry_service_pb2 import TimeSeries

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(INT64 | st.integers(0, 300) | st.integers(2**49, 2**56 - 1), max_size=50))
def test_integers(values: list[int]) -> None:
    packed = b"".join(packed_int64s(2, np.array(values, dtype=np.int64)))
    assert list(TimeSeries.FromString(packed).times_us) == values
    assert packed == TimeSeries(times_us=values).SerializeToString()


@given(st.lists(st.floats(), max_size=50))
def test_doubles(values: list[float]) -> None:
    packed = b"".join(packed_doubles(3, np.array(values, dtype=np.float64)))
    found = TimeSeries.FromString(packed).values
    assert len(found) == len(values)
    assert all(
        one == other or (math.isnan(one) and math.isnan(other))
        for one, other in zip(found, values, strict=True)
    )
    assert packed == TimeSeries(values=values).SerializeToString()
