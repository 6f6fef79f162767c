"""Buckets equal what a loop over the points tells."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.codec.rollups import (
    Buckets,
    Damaged,
    concatenate,
    counter_buckets,
    cut,
    decode,
    decode_means,
    derive_rates,
    encode,
    following,
    gauge_buckets,
    replace_slice,
)

START_S = 1_800_000_000
COLUMNS = ("count", "minimum", "maximum", "mean", "p95", "increase", "last")


def packed_and_back(buckets: Buckets) -> Buckets:
    """Return what comes out of the bytes; the means come alone as well."""
    data = encode(buckets)
    start_s, means = decode_means(data)
    assert start_s == buckets.start_s
    np.testing.assert_array_equal(means, buckets.mean)
    return decode(data)


def check_same(one: Buckets, other: Buckets) -> None:
    assert (one.start_s, one.step_s) == (other.start_s, other.step_s)
    for name in COLUMNS:
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None), name
        if left is not None:
            assert left.dtype == right.dtype, name
            assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), name


@st.composite
def moments(draw, most=120):
    """Irregular, some equal, with gaps, not all within the buckets."""
    steps = draw(st.lists(st.sampled_from([0, 1, 250, 999, 1000, 1001, 2000, 9000, 61_000]), max_size=most))
    first = START_S * 1000 + draw(st.integers(-20_000, 30_000))
    return np.cumsum(np.array([first, *steps], dtype=np.int64))


def naive_buckets(ms, values, step_s, buckets):
    found = [[] for _ in range(buckets)]
    for at, value in zip(ms.tolist(), values, strict=True):
        place = (at // 1000 - START_S) // step_s
        if 0 <= place < buckets:
            found[place].append(value)
    return found


def naive_p95(values):
    return sorted(values)[math.ceil(len(values) * 95 / 100) - 1] if values else math.nan


def check_floats(got, expected, relative=1e-12):
    for one, other in zip(got.tolist(), expected, strict=True):
        assert (math.isnan(one) and math.isnan(other)) or one == pytest.approx(other, rel=relative, abs=1e-9)


@given(moments(), st.data(), st.sampled_from([10, 60, 300]), st.integers(1, 12))
@settings(max_examples=150, deadline=None)
def test_gauges(ms, data, step_s, buckets):
    values = np.array(
        data.draw(
            st.lists(
                st.integers(-1000, 1000).map(lambda tenths: tenths / 10) | st.floats(-1e9, 1e9),
                min_size=len(ms),
                max_size=len(ms),
            )
        )
    )
    got = gauge_buckets(ms, values, step_s, START_S, buckets)
    found = naive_buckets(ms, values.tolist(), step_s, buckets)
    assert got.count.tolist() == [len(each) for each in found]
    assert got.increase is None
    assert got.last is None
    check_floats(got.minimum, [min(each, default=math.nan) for each in found], 0)
    check_floats(got.maximum, [max(each, default=math.nan) for each in found], 0)
    check_floats(got.p95, [naive_p95(each) for each in found], 0)
    check_floats(got.mean, [math.fsum(each) / len(each) if each else math.nan for each in found])
    check_same(packed_and_back(got), got)


def naive_growth(ms, values, before, max_gap_ms):
    # Where growth is measured from, and a poll that showed less, of which it isn't known yet why.
    since, low = None, None
    for number, (at, value) in enumerate([*before, *zip(ms.tolist(), values.tolist(), strict=True)]):
        increase, rise, elapsed = 0, 0, 0
        if low is not None and value < since[1]:
            increase, since = low[1], low
        low = (at, value) if since is not None and value < since[1] else None
        if low is None:
            if since is not None:
                increase += value - since[1]
                if 0 < at - since[0] <= max_gap_ms:
                    rise, elapsed = value - since[1], at - since[0]
            since = at, value
        if number >= len(before):
            yield increase, rise, elapsed


def grown_by(values, before=()):
    ms = START_S * 1000 + 1000 * np.arange(len(values))
    return counter_buckets(ms, np.array(values), 300, START_S, 1, before=before, max_gap_ms=3000)


def test_a_clock_set_back_is_no_reset():
    """Ten polls, and ten that the clock put between them: 5.5 s too early."""
    begin = 5 * 10**12
    polls = [(n * 1000, begin + n * 1000) for n in range(10)]
    polls += [(n * 1000 - 5500, begin + n * 1000) for n in range(10, 20)]
    ms, values = np.array(sorted(polls), dtype=np.int64).T
    ms = ms + START_S * 1000
    for split in range(len(ms) + 1):
        # In whatever hours they are.
        grown = [
            counter_buckets(
                ms[some],
                values[some],
                300,
                START_S,
                1,
                before=following((), ms[: some.start], values[: some.start]),
                max_gap_ms=3000,
            ).increase[0]
            for some in (slice(0, split), slice(split, None))
        ]
        assert sum(grown) == 19_000
    rates = derive_rates(ms, values, 1.0, (), 3000)
    assert np.nanmax(rates) <= 12_000


def test_dips_and_resets():
    big = 5 * 10**12
    assert grown_by([big, big + 1000, big + 999, big + 2000]).increase[0] == 2000
    assert grown_by([big, big + 1000, big + 999, big + 2000]).maximum[0] == 1000
    assert grown_by([big, 300, 500, 900]).increase[0] == 900
    # Of a last fall nobody knows yet.
    assert grown_by([big, 300]).increase[0] == 0
    assert grown_by([500], [(START_S * 1000 - 2000, big), (START_S * 1000 - 1000, 300)]).increase[0] == 500
    back = grown_by([big + 7], [(START_S * 1000 - 2000, big), (START_S * 1000 - 1000, 300)])
    assert (back.increase[0], back.mean[0]) == (7, 3.5)
    # Reset twice.
    assert grown_by([big, 300, 100, 200]).increase[0] == 500


def wrapped(value):
    return (value + 2**63) % 2**64 - 2**63


COUNTER_STEPS = st.integers(0, 2**34) | st.sampled_from([0, 1, 1000, -1000, -1]) | st.integers(-(2**60), -1)


@given(
    moments(),
    st.data(),
    st.sampled_from([10, 60, 300]),
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 2**60)), max_size=2),
)
@settings(max_examples=150, deadline=None)
def test_counters(ms, data, step_s, buckets, before):
    value, values = data.draw(st.integers(0, 2**62)), []
    for step in data.draw(st.lists(COUNTER_STEPS, min_size=len(ms), max_size=len(ms))):
        value = max(value + step, 0)
        values.append(value)
    values = np.array(values, dtype=np.int64)
    before = sorted(((int(ms[0]) - ago, value) for ago, value in before), key=lambda point: point[0])
    got = counter_buckets(ms, values, step_s, START_S, buckets, before=before, max_gap_ms=3000)
    grown = list(naive_growth(ms, values, before, 3000))
    points = naive_buckets(ms, values.tolist(), step_s, buckets)
    found = naive_buckets(ms, grown, step_s, buckets)
    rates = [[rise * 1000 / elapsed for _, rise, elapsed in each if elapsed] for each in found]
    assert got.count.tolist() == [len(each) for each in points]
    assert got.last.tolist() == [each[-1] if each else 0 for each in points]
    assert got.increase.tolist() == [wrapped(sum(increase for increase, _, _ in each)) for each in found]
    check_floats(got.minimum, [min(each, default=math.nan) for each in rates], 1e-7)
    check_floats(got.maximum, [max(each, default=math.nan) for each in rates], 1e-7)
    check_floats(got.p95, [naive_p95(each) for each in rates], 1e-7)
    means = [
        sum(rise for _, rise, _ in each) * 1000 / elapsed
        if (elapsed := sum(e for _, _, e in each))
        else math.nan
        for each in found
    ]
    check_floats(got.mean, means, 1e-7)
    check_same(packed_and_back(got), got)
    every = derive_rates(ms, values, 8.0, before, 3000)
    check_floats(every, [8000 * rise / elapsed if elapsed else math.nan for _, rise, elapsed in grown])


@given(moments(), st.sampled_from([10, 60]), st.integers(1, 40), st.data())
@settings(max_examples=150)
def test_what_is_withheld_is_no_rate_and_grew_all_the_same(ms, step_s, buckets, data):
    steps = data.draw(
        st.lists(st.sampled_from([0, 1, 1500, 10**9, -1, -(10**9)]), min_size=len(ms), max_size=len(ms))
    )
    values = np.cumsum(np.array(steps, dtype=np.int64)) + 10**12
    withheld = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(ms), max_size=len(ms))), dtype=np.bool_
    )
    before = [(int(ms[0]) - 1000, 10**12)] if data.draw(st.booleans()) else []
    plain = counter_buckets(ms, values, step_s, START_S, buckets, before=before, max_gap_ms=3000)
    got = counter_buckets(
        ms, values, step_s, START_S, buckets, before=before, max_gap_ms=3000, withheld=withheld
    )
    for name in ("count", "increase", "last"):
        assert getattr(got, name).tolist() == getattr(plain, name).tolist()
    every = derive_rates(ms, values, 1.0, before, 3000)
    rates = derive_rates(ms, values, 1.0, before, 3000, withheld)
    assert np.array_equal(rates, np.where(withheld, np.nan, every), equal_nan=True)
    told = naive_buckets(ms, rates.tolist(), step_s, buckets)
    told = [[rate for rate in each if not math.isnan(rate)] for each in told]
    check_floats(got.maximum, [max(each, default=math.nan) for each in told], 1e-7)
    check_floats(got.minimum, [min(each, default=math.nan) for each in told], 1e-7)
    check_floats(got.p95, [naive_p95(each) for each in told], 1e-7)
    assert np.isnan(got.mean).tolist() == [not each for each in told]
    check_same(packed_and_back(got), got)


FLOATS = st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 1.5, math.inf, -math.inf])


@st.composite
def any_buckets(draw):
    length = draw(st.integers(0, 20))
    times = draw(st.sampled_from([1, 1, 11]))

    def column(elements, dtype):
        return np.tile(
            np.array(draw(st.lists(elements, min_size=length, max_size=length)), dtype=dtype), times
        )

    integers = st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5)
    floats = [column(FLOATS, np.float64) for _ in range(4)]
    gone, no_mean = column(st.booleans(), bool), column(st.booleans(), bool)
    count = column(st.integers(0, 400), np.int64)
    gone |= count == 0
    for place in (0, 1, 3):
        floats[place][gone] = np.nan
    floats[2][no_mean | (count == 0)] = np.nan
    extra = ()
    if draw(st.booleans()):
        extra = column(integers, np.int64), np.where(count > 0, column(integers, np.int64), 0)
    step_s = draw(st.sampled_from([10, 60, 300]))
    return Buckets(draw(st.integers(0, 10**8)) * step_s, step_s, count, *floats, *extra)


@given(any_buckets())
@settings(max_examples=200, deadline=None)
def test_packing_loses_nothing(buckets):
    again = packed_and_back(buckets)
    check_same(again, buckets)
    for name in ("minimum", "maximum", "mean", "p95"):
        one, other = getattr(again, name), getattr(buckets, name)
        assert np.array_equal(np.signbit(one) & (one == 0), np.signbit(other) & (other == 0)), name


def test_what_contradicts_itself_is_refused():
    buckets = counted(0, *[1] * 200)
    nothing = np.zeros(200, dtype=np.int64)
    for wrong in (
        replace(buckets, p95=np.full(200, np.nan)),
        replace(buckets, count=nothing),
        replace(buckets, count=nothing, increase=nothing, last=np.ones(200, dtype=np.int64)),
    ):
        with pytest.raises(ValueError, match="a bucket"):
            encode(wrong)


@given(st.binary(max_size=40), st.integers(0, 60), st.sampled_from([3, 13]))
def test_damage_is_told(noise, cut_off, times):
    data = encode(counted(0, *[*range(1, 10)] * times))
    for broken in (noise, data[:cut_off], data + b"\0"):
        if not data.startswith(broken):
            try:
                decode(broken)
            except Damaged:
                continue
    with pytest.raises(Damaged):
        decode(data[: min(cut_off, len(data) - 1)])


def counted(start_s, *counts):
    ms = [1000 * (start_s + 10 * place) + n for place, count in enumerate(counts) for n in range(count)]
    values = np.arange(len(ms), dtype=np.float64)
    return gauge_buckets(np.array(ms, dtype=np.int64), values, 10, start_s, len(counts))


def test_what_lies_between_parts_is_empty():
    whole = concatenate([counted(0, 1, 2), counted(40, 3)])
    assert whole.start_s == 0
    assert whole.count.tolist() == [1, 2, 0, 0, 3]
    assert np.isnan(whole.mean[2:4]).all()
    with pytest.raises(ValueError, match="overlap"):
        concatenate([counted(0, 1, 2), counted(10, 3)])
    with pytest.raises(ValueError, match="kinds"):
        concatenate([counted(0, 1), gauge_buckets(np.empty(0, np.int64), np.empty(0), 60, 60, 1)])


def test_a_part_replaces_its_moments():
    whole = counted(100, 1, 2, 3, 4)
    assert replace_slice(whole, counted(110, 7, 8)).count.tolist() == [1, 7, 8, 4]
    assert replace_slice(whole, counted(130, 7, 8)).count.tolist() == [1, 2, 3, 7, 8]
    assert replace_slice(whole, counted(80, 7)).count.tolist() == [7, 0, 1, 2, 3, 4]
    assert replace_slice(whole, counted(90, 9, 9, 9, 9, 9, 9)).count.tolist() == [9] * 6


def test_a_cut_holds_what_begins_within():
    whole = counted(100, 1, 2, 3, 4)
    assert cut(whole, 110, 130).count.tolist() == [2, 3]
    assert cut(whole, 110, 130).start_s == 110
    assert cut(whole, 105, 500).count.tolist() == [2, 3, 4]
    assert len(cut(whole, 0, 100)) == 0
    assert len(cut(whole, 140, 200)) == 0


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([50, 360, 1440]),
    st.sampled_from([0, 6, 20, 40]),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_long_runs_of_buckets_lose_nothing(seed, length, bits, idle):
    random = np.random.default_rng(seed)
    ms = START_S * 1000 + np.arange(10 * length) * 1000 + random.integers(0, 30, 10 * length)
    ms = ms[random.random(len(ms)) < 0.97]
    steps = random.integers(0, 1 << bits, len(ms), endpoint=True)
    if idle:
        steps[random.random(len(ms)) < 0.9] = 0
    values = 10**12 + np.cumsum(steps)
    values[len(values) // 2 :] -= random.choice([0, 10**12])
    counters = counter_buckets(ms, values, 10, START_S, length, before=(), max_gap_ms=3000)
    check_same(packed_and_back(counters), counters)
    for divisor in (1, 10, 3):
        gauges = gauge_buckets(ms, steps / divisor, 10, START_S, length)
        check_same(packed_and_back(gauges), gauges)


def test_percentiles_of_any_sizes_of_buckets():
    """Equal buckets, a few odd ones, and one that holds nearly all: each has a way of its own."""
    random = np.random.default_rng(3)
    for counts in ([60] * 40, [60] * 40 + [59, 1], [20_000, *[1] * 200], [300], [19, 20, 21]):
        found = [random.integers(0, 100, count) / 10 for count in counts]
        seconds = np.repeat(np.arange(len(counts)) * 300, counts)
        ms = (START_S + seconds) * 1000 + np.concatenate([np.arange(count) for count in counts])
        got = gauge_buckets(ms, np.concatenate(found), 300, START_S, len(counts))
        assert got.p95.tolist() == [naive_p95(each.tolist()) for each in found]
