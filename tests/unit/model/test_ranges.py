"""Positions as ranges: what a plain set of numbers says, they say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtd.model.ranges import SeqRanges

SPANS = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 8)).map(lambda one: (one[0], one[0] + one[1])))


def numbers(spans: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in spans for number in range(first, last + 1)}


@given(SPANS, st.integers(1, 50), st.integers(0, 12))
def test_ranges_are_a_set_of_numbers(spans: list[tuple[int, int]], first: int, more: int) -> None:
    ranges, last = SeqRanges(spans), first + more
    known, asked = numbers(spans), set(range(first, last + 1))
    assert numbers(list(ranges)) == known
    assert ranges.overlaps(first, last) == bool(known & asked)
    assert numbers(ranges.missing(first, last)) == asked - known
    assert ranges.next_missing(first) == min(set(range(first, 200)) - known)
    ranges.remove(first, last)
    assert numbers(list(ranges)) == known - asked


@given(SPANS)
def test_ranges_that_touch_are_one(spans: list[tuple[int, int]]) -> None:
    found = list(SeqRanges(spans))
    assert all(first <= last for first, last in found)
    assert all(one[1] + 1 < other[0] for one, other in zip(found, found[1:], strict=False))
    assert SeqRanges(found) == SeqRanges(reversed(spans))


def test_an_empty_range_adds_nothing() -> None:
    ranges = SeqRanges([(3, 2)])
    assert len(ranges) == 0
    assert repr(ranges) == "SeqRanges([])"
