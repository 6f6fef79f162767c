"""Sums by NumPy are those of a plain loop, however the records are cut into pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtd.codec.flows import ADDRESS
from mtd.codec.flows import tally as summing
from mtd.codec.flows.tally import Keyed, words_of
from mtd.model.flows import DIMENSIONS, Dimension
from mtd.queries.flows import tally as timelines
from mtd.queries.flows.errors import TooManyFlows
from mtd.queries.flows.keys import believable, keyed, pack_key, sums_of, well_typed
from mtd.queries.flows.records import Order
from mtd.queries.flows.tally import Tally, Timeline
from tests.unit.queries.flows.kit import Record, added, amounts_of, batches, columns, summed

TOLD = tuple(dict.fromkeys(name for one in DIMENSIONS.values() for name in one.columns))
SUMMED = ("octets", "packets", "sampling")
MANY = st.lists(batches(*TOLD, *SUMMED), max_size=5)
ANY = st.sampled_from(tuple(DIMENSIONS.values()))


def by_key(dimension: Dimension, found: Keyed) -> dict[bytes, tuple[int, ...]]:
    return {
        pack_key(key, dimension.width): tuple(map(int, sums))
        for key, sums in zip(found.words, found.sums, strict=True)
    }


@given(ANY, MANY, st.sampled_from((0, 3, 1000)))
@settings(max_examples=120)
def test_a_tally_is_the_plain_sum(dimension: Dimension, pieces: list[list[Record]], at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summing, "_AT_ONCE", at_once)
        tally = Tally(words_of(dimension.width))
        for records in pieces:
            some = keyed(columns(records), len(records), dimension)
            assert (some is not None) == (set(dimension.columns) <= records[0].keys())
            if some is not None:
                tally.add(some)
        expected = summed((record for records in pieces for record in records), dimension)
        assert by_key(dimension, tally.all()) == expected
        for order, place in ((Order.OCTETS, 0), (Order.PACKETS, 1), (Order.FLOWS, 2)):
            best = by_key(dimension, tally.largest(3, order))
            assert [one[place] for one in best.values()] == sorted(
                (one[place] for one in expected.values()), reverse=True
            )[:3]
            assert all(expected[key] == one for key, one in best.items())


@given(ANY, MANY, st.data())
@settings(max_examples=80)
def test_a_timeline_is_the_plain_sum(dimension: Dimension, pieces: list[list[Record]], data: Any) -> None:
    steps = [data.draw(st.integers(0, 3)) for _ in pieces]
    tally = Tally(words_of(dimension.width))
    parts = [keyed(columns(records), len(records), dimension) for records in pieces]
    for some in parts:
        if some is not None:
            tally.add(some)
    best = tally.largest(2, Order.OCTETS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timelines, "_AT_ONCE", data.draw(st.sampled_from((0, 1000))))
        timeline = Timeline(best.words, 4)
        for step, some in zip(steps, parts, strict=True):
            if some is not None:
                timeline.add(step, some)
        found = timeline.sums()
    for step in range(4):
        here = [
            record for one, records in zip(steps, pieces, strict=True) if one == step for record in records
        ]
        expected = summed(here, dimension)
        for place, key in enumerate(best.words):
            expected_here = expected.get(pack_key(key, dimension.width), (0, 0, 0))
            assert tuple(found[step, place]) == expected_here


@given(batches(*SUMMED, "src_port"))
def test_records_stand_for_what_they_say_times_their_sampling(records: list[Record]) -> None:
    found = sums_of(columns(records), len(records))
    assert [tuple(map(int, one)) for one in found] == [amounts_of(record) for record in records]
    assert tuple(map(int, found.sum(axis=0))) == added(map(amounts_of, records))


def test_of_equals_the_lower_key_is_first() -> None:
    tally = Tally(1)
    for key in (9, 3, 7):
        tally.add(Keyed(np.array([[key]], np.uint64), np.array([[5, 5, 5]])))
    assert tally.largest(2, Order.OCTETS).words.tolist() == [[3], [7]]


def test_a_tally_holds_so_many_keys() -> None:
    tally = Tally(1, most_keys=2)
    tally.add(Keyed(np.array([[1], [2], [1]], np.uint64), np.ones((3, 3), np.int64)))
    assert len(tally.all().words) == 2
    tally.add(Keyed(np.array([[3]], np.uint64), np.ones((1, 3), np.int64)))
    with pytest.raises(TooManyFlows, match="more than 2 different"):
        tally.all()


def test_a_number_that_is_too_long_for_a_key_is_none() -> None:
    wide = {"src_port": np.array([80, 1 << 16, 65_535], np.uint32)}
    found = keyed(wide, 3, DIMENSIONS["src_port"])
    assert found is not None
    assert found.words.tolist() == [[80], [65_535]]
    assert found.sums.tolist() == [[0, 0, 1]] * 2


@pytest.mark.parametrize("name", ["src_address", "post_nat_dst_address", "dst_port", "octets", "end_ms"])
def test_addresses_are_no_numbers(name: str) -> None:
    right = columns([{name: "::" if name.endswith("address") else 0}])
    assert well_typed({**right, "next_hop": np.zeros(1, ADDRESS), "tos": np.zeros(1, np.uint8)})
    wrong = np.zeros(1, np.uint64 if name.endswith("address") else ADDRESS)
    assert not well_typed({**right, name: wrong})


def test_what_no_link_carries_is_not_believed() -> None:
    most = 1 << 46
    assert believable({})
    assert believable({"octets": np.array([most], np.uint64)})
    assert not believable({"octets": np.array([most + 1], np.uint64)})
    assert not believable(
        {"packets": np.array([1, most], np.uint64), "sampling": np.array([1, 2], np.uint32)}
    )
    assert believable({"octets": np.array([most, 1], np.uint64), "sampling": np.array([0, 9], np.uint32)})
