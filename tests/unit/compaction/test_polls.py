from __future__ import annotations

import dataclasses
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.codec.blocks import decode_axis, encode_axis
from mtd.compaction.encoding import Unfaithful, check_axis, check_slice, encode_series, max_gap_ms
from mtd.compaction.polls import Source, merge, merged_slice, portions
from mtd.compaction.sources import LANES, FrameSource, StoredSource, decoded
from mtd.model.layout import Series
from mtd.model.metric import Lane

HOUR_US = 1_772_445_600_000_000
COUNTERS = [Series("rx", f"*{n}", Lane.COUNTER) for n in range(3)]
GAUGES = [Series("load", "", Lane.GAUGE), Series("state", "*1", Lane.GAUGE)]

Poll = tuple[int, list[int | None], list[float | None]]
"""Microseconds after the hour began, counters, gauges."""


def frames(
    polls: list[Poll], counters: list[Series], gauges: list[Series], first_seq: int = 0
) -> FrameSource:
    values = np.array([[value or 0 for value in poll[1]] for poll in polls], dtype=np.int64)
    absent = np.array([[value is None for value in poll[1]] for poll in polls], dtype=np.bool_)
    doubles = [[math.nan if value is None else value for value in poll[2]] for poll in polls]
    return FrameSource(
        HOUR_US,
        [*counters, *gauges],
        np.array([poll[0] for poll in polls], dtype=np.int64) + HOUR_US,
        np.arange(len(polls)) + first_seq,
        values.reshape(len(polls), len(counters)),
        absent.reshape(len(polls), len(counters)) if absent.any() else None,
        np.array(doubles, dtype=np.float64).reshape(len(polls), len(gauges)),
    )


def stored(source: FrameSource) -> StoredSource:
    """Return what is stored of frames alone."""
    merged = merge([source])
    blocks = {}
    for lane in LANES:
        for series in portions([source], lane):
            part = merged_slice([source], merged, lane, series)
            for row, one in enumerate(series):
                if not part.absent[row].all():
                    blocks[one] = encode_series(lane, part.bits[row], part.absent[row], dense=False)
    return StoredSource(decode_axis(encode_axis(merged.ms)), blocks)


def rows(sources: list[Source]) -> list[tuple[int, frozenset[tuple[Series, int]]]]:
    """Return what merging gives: the polls, each with its values as bits."""
    merged = merge(sources)
    found: list[set[tuple[Series, int]]] = [set() for _ in merged.ms]
    for lane in LANES:
        for series in portions(sources, lane):
            part = merged_slice(sources, merged, lane, series)
            for row, one in enumerate(series):
                for place in np.flatnonzero(~part.absent[row]):
                    found[place].add((one, int(part.bits[row, place])))
    return [(int(ms), frozenset(values)) for ms, values in zip(merged.ms, found, strict=True)]


def naive(sources: list[FrameSource]) -> list[tuple[int, frozenset[tuple[Series, int]]]]:
    """Return the same, poll by poll: ordered by (ms, us, seq), without those that repeat one of their millisecond."""
    polls = []
    for source in sources:
        us, seq = source.order
        taken = {lane: source.take(lane, source.series(lane)) for lane in LANES}
        for n in range(len(us)):
            values = frozenset(
                (one, int(taken[lane][0][row, n]))
                for lane in LANES
                for row, one in enumerate(source.series(lane))
                if not taken[lane][1][row, n]
            )
            polls.append((int(source.ms[n]), int(us[n]), int(seq[n]), values))
    polls.sort(key=lambda poll: poll[:3])
    kept: list[tuple[int, frozenset[tuple[Series, int]]]] = []
    for ms, _, _, values in polls:
        if (ms, values) not in kept:
            kept.append((ms, values))
    return kept


moments = st.integers(0, 5_000) | st.integers(0, 3_599_999_999)
counter = st.none() | st.integers(0, 3) | st.integers(-(2**63), 2**63 - 1)
gauge = st.none() | st.sampled_from([0.0, -0.0, 1.0]) | st.floats(allow_nan=False)


@st.composite
def runs(draw: st.DrawFn) -> FrameSource:
    counters = draw(st.lists(st.sampled_from(COUNTERS), unique=True))
    gauges = draw(st.lists(st.sampled_from(GAUGES), unique=True))
    poll = st.tuples(
        moments,
        st.lists(counter, min_size=len(counters), max_size=len(counters)),
        st.lists(gauge, min_size=len(gauges), max_size=len(gauges)),
    )
    return frames(
        draw(st.lists(poll, min_size=1, max_size=12)), counters, gauges, draw(st.integers(0, 3)) * 100
    )


@given(st.lists(runs(), min_size=1, max_size=4))
def test_merging_equals_doing_it_poll_by_poll(sources: list[FrameSource]) -> None:
    found, wanted = rows(list(sources)), naive(sources)
    # Polls of one microsecond and seq may stand in either order.
    assert Counter(found) == Counter(wanted)
    assert [ms for ms, _ in found] == sorted(ms for ms, _ in wanted)


@given(runs(), runs())
def test_merging_with_what_is_stored_equals_merging_at_once(first: FrameSource, second: FrameSource) -> None:
    assert Counter(rows([stored(first), second])) == Counter(rows([first, second]))


@given(runs())
def test_a_replay_changes_nothing(source: FrameSource) -> None:
    kept = stored(source)
    merged = merge([kept, source])
    assert len(merged.ms) == len(kept.ms)
    assert merged.duplicates == len(source.ms)


@given(st.lists(runs(), min_size=1, max_size=3), st.booleans())
def test_all_is_verified(sources: list[FrameSource], dense: bool) -> None:
    merged = merge(list(sources))
    axis = encode_axis(merged.ms)
    check_axis(axis, sources, merged)
    for lane in LANES:
        for series in portions(list(sources), lane):
            part = merged_slice(list(sources), merged, lane, series)
            blocks = [
                None if gone.all() else encode_series(lane, bits, gone, dense=dense)
                for bits, gone in zip(part.bits, part.absent, strict=True)
            ]
            check_slice(lane, part, blocks, merged)
            for row, block in enumerate(blocks):
                if block is not None:
                    spoiled = [*blocks]
                    spoiled[row] = None
                    with pytest.raises(Unfaithful):
                        check_slice(lane, part, spoiled, merged)


def polled(*us: int) -> FrameSource:
    return frames([(at, [at, None, 7], [0.5, None]) for at in us], COUNTERS, GAUGES)


@pytest.mark.parametrize("change", [{"first_ms": 1}, {"step_ms": 1001}, {"polls": 2}, {"polls": 4}])
def test_a_wrong_axis_is_found(change: dict[str, int]) -> None:
    source = polled(0, 1_000_000, 2_000_000)
    merged = merge([source])
    axis = encode_axis(merged.ms)
    check_axis(axis, [source], merged)
    with pytest.raises(Unfaithful):
        check_axis(dataclasses.replace(axis, **change), [source], merged)


def test_any_wrong_value_is_found() -> None:
    first, second = polled(0, 1_000_000), polled(500_000, 1_000_999)
    merged = merge([first, second])
    assert merged.duplicates == 0
    part = merged_slice([first, second], merged, Lane.COUNTER, COUNTERS)
    for row in range(3):
        for place in range(4):
            bits, absent = part.bits.copy(), part.absent.copy()
            if row == 1:
                absent[row, place] = False
            else:
                bits[row, place] += 1
            blocks = [
                None if gone.all() else encode_series(Lane.COUNTER, values, gone, dense=False)
                for values, gone in zip(bits, absent, strict=True)
            ]
            with pytest.raises(Unfaithful):
                check_slice(Lane.COUNTER, part, blocks, merged)


def test_minus_zero_is_not_zero() -> None:
    polls: list[Poll] = [(n * 1_000_000, [1, 1, 1], [value, 1.0]) for n, value in enumerate([0.0, -0.0])]
    source = frames(polls, COUNTERS, GAUGES)
    merged = merge([source])
    part = merged_slice([source], merged, Lane.GAUGE, GAUGES)
    wrong = [
        encode_series(Lane.GAUGE, bits, gone, dense=False)
        for bits, gone in zip(part.bits * 0, part.absent, strict=True)
    ]
    with pytest.raises(Unfaithful):
        check_slice(Lane.GAUGE, part, wrong, merged)


def test_series_that_are_left_out() -> None:
    source = FrameSource(
        HOUR_US,
        [*COUNTERS, *GAUGES],
        np.array([HOUR_US, HOUR_US + 1_000_000]),
        np.array([1, 2]),
        np.array([[1, 2, 3], [4, 5, 6]]),
        None,
        np.array([[0.5, 1.0], [0.5, 2.0]]),
        without=[COUNTERS[1], GAUGES[0]],
    )
    assert source.series(Lane.COUNTER) == [COUNTERS[0], COUNTERS[2]]
    bits, absent = source.take(Lane.COUNTER, COUNTERS)
    assert bits.tolist() == [[1, 4], [0, 0], [3, 6]]
    assert absent.tolist() == [[False] * 2, [True] * 2, [False] * 2]
    bits, absent = source.take(Lane.GAUGE, [GAUGES[1]])
    assert bits.view(np.float64).tolist() == [[1.0, 2.0]]


def test_many_series_go_in_portions() -> None:
    many = [Series("rx", f"*{n}", Lane.COUNTER) for n in range(200)]
    source = frames([(0, list(range(200)), []), (1_000_000, list(range(200)), [])], many, [])
    parts = portions([source], Lane.COUNTER)
    assert [len(part) for part in parts] == [64, 64, 64, 8]
    assert [one for part in parts for one in part] == many
    block = encode_series(
        Lane.COUNTER, source.take(Lane.COUNTER, [many[77]])[0][0], np.zeros(2, bool), dense=False
    )
    assert decoded(Lane.COUNTER, block, 2)[0].tolist() == [77, 77]


@pytest.mark.parametrize(
    ("ms", "wanted"),
    [
        ([0, 1000, 2000, 3003], 3000),
        ([0, 1000, 2000, 3000, 1_800_000], 3000),  # an outage doesn't make the interval longer
        ([0, 1000, 2000, 3000, *range(3_000_000, 3_003_000, 1000)], 3000),
        ([0, 250, 500, 750], 750),
        ([0, 60_000, 120_000, 180_000], 180_000),
        ([0], 3 * 3_600_000),  # one poll tells none: an hour
    ],
)
def test_what_a_gap_is(ms: list[int], wanted: int) -> None:
    assert max_gap_ms(encode_axis(np.array(ms))) == wanted


def test_a_clock_that_stands_still() -> None:
    polls: list[Poll] = [(0, [n % 50, 1, 2], [1.0, None]) for n in range(2000)]
    merged = merge([frames(polls, COUNTERS, GAUGES)])
    assert (len(merged.ms), merged.duplicates) == (50, 1950)
    assert merged.places[0].tolist() == [n % 50 for n in range(2000)]
