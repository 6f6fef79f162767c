"""Which rows are chosen for the live tier: within the limits, what is pinned always, and steadily."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.selection import Why
from mtd.plugin.choosing import Rules, TrafficWatch, choose

ROWS = [f"*{number:X}" for number in range(1, 25)]
MARGIN = 0.25

rows = st.lists(st.sampled_from(ROWS), unique=True, max_size=24)
reasons = st.dictionaries(
    st.sampled_from(ROWS), st.sampled_from([why for why in Why if why is not Why.TRAFFIC])
)
traffic = st.dictionaries(st.sampled_from(ROWS), st.floats(0, 1e9))
rules = st.builds(
    Rules,
    places=st.one_of(st.integers(0, 12), st.just(math.inf)),
    top=st.integers(0, 12),
    margin=st.just(MARGIN),
)


@given(rows, reasons, traffic, st.sets(st.sampled_from(ROWS)), rules)
def test_limits_hold_and_what_is_pinned_is_always_chosen(
    given_rows: list[str], why: dict[str, Why], busy: dict[str, float], before: set[str], by: Rules
) -> None:
    chosen = choose(given_rows, why, busy, before, by)
    pinned = {row for row in given_rows if why.get(row) is Why.PINNED}
    assert pinned <= chosen.keys() <= set(given_rows)
    assert len(chosen) <= max(by.places, len(pinned))
    assert sum(one is Why.TRAFFIC for one in chosen.values()) <= by.top
    assert all(chosen[row] is why.get(row, Why.TRAFFIC) for row in chosen)
    ranks = [one.rank for one in chosen.values()]
    assert ranks == sorted(ranks)


@given(rows, reasons, traffic, st.sets(st.sampled_from(ROWS)), rules)
def test_no_stronger_reason_stands_behind_a_weaker_one(
    given_rows: list[str], why: dict[str, Why], busy: dict[str, float], before: set[str], by: Rules
) -> None:
    chosen = choose(given_rows, why, busy, before, by)
    left = [why.get(row, Why.TRAFFIC).rank for row in given_rows if row not in chosen]
    if left and len(chosen) >= by.places:
        assert max([one.rank for one in chosen.values()], default=0) <= min(left) or by.places == 0


@given(rows, reasons, traffic, st.sets(st.sampled_from(ROWS)), rules)
def test_choosing_again_changes_nothing(
    given_rows: list[str], why: dict[str, Why], busy: dict[str, float], before: set[str], by: Rules
) -> None:
    once = choose(given_rows, why, busy, before, by)
    assert choose(given_rows, why, busy, once, by) == once


@given(
    st.lists(st.floats(1e3, 1e9), min_size=12, max_size=24),
    st.lists(st.lists(st.floats(0.9, 1.1), min_size=24, max_size=24), min_size=1, max_size=8),
)
def test_noise_moves_nothing(levels: list[float], noise: list[list[float]]) -> None:
    by = Rules(places=8, top=8, margin=MARGIN)
    names = ROWS[: len(levels)]
    first = choose(names, {}, dict(zip(names, levels, strict=True)), (), by)
    now = first
    for step in noise:
        shaken = {name: level * one for name, level, one in zip(names, levels, step, strict=False)}
        now = choose(names, {}, shaken, now, by)
        assert now.keys() == first.keys()


def test_a_newcomer_takes_a_place_once_it_has_more_by_the_margin() -> None:
    by = Rules(places=1, top=1, margin=MARGIN)
    assert list(choose(["a", "b"], {}, {"a": 100.0, "b": 124.0}, ["a"], by)) == ["a"]
    assert list(choose(["a", "b"], {}, {"a": 100.0, "b": 126.0}, ["a"], by)) == ["b"]


def test_of_many_with_one_reason_the_busiest_are_chosen() -> None:
    vlans = {f"vlan{number}": Why.PPPOE_SERVER for number in range(300)}
    busy = {name: float(number) for number, name in enumerate(vlans)}
    chosen = choose(list(vlans), vlans, busy, (), Rules(places=10, top=10, margin=MARGIN))
    assert set(chosen) == {f"vlan{number}" for number in range(290, 300)}


@dataclass
class Counters:
    """Counters as they would be read."""

    counted: dict[str, int] = field(default_factory=dict)
    at: float = 0.0

    def after(self, seconds: float, **speeds: float) -> dict[str, tuple[float, int]]:
        self.at += seconds
        for row, speed in speeds.items():
            self.counted[row] = self.counted.get(row, 0) + int(speed * seconds)
        return {row: (self.at, total) for row, total in self.counted.items()}


def test_traffic_is_told_over_each_window() -> None:
    read, watch = Counters({"a": 10**12, "b": 5}), TrafficWatch(300.0)
    watch.guess(read.after(0))
    assert watch.traffic["a"] > watch.traffic["b"]
    assert not watch.take(read.after(0), 0.0)
    assert not watch.take(read.after(299, a=10, b=100), 299.0)
    assert watch.take(read.after(1, a=10, b=100), 300.0)
    assert watch.traffic == {"a": pytest.approx(10), "b": pytest.approx(100)}
    assert watch.take(read.after(300, a=70, b=0), 600.0)
    assert watch.traffic == {"a": pytest.approx(70), "b": 0.0}


def test_a_counter_that_was_reset_keeps_what_was_known_of_it_and_a_new_row_counts_as_quiet() -> None:
    read, watch = Counters(), TrafficWatch(300.0)
    watch.guess({"a": (0.0, 10**15)})
    watch.begin({"a": (0.0, 1000)}, 0.0)
    assert watch.take(read.after(300, b=5), 300.0)
    assert watch.traffic == {"b": 0.0}
    assert watch.take({"a": (600.0, 50), "b": (600.0, 1500 + 600)}, 600.0)
    assert watch.traffic == {"a": 0.0, "b": pytest.approx(2.0)}
    assert watch.take({"a": (900.0, 40), "b": (900.0, 3)}, 900.0)
    assert watch.traffic == {"a": 0.0, "b": pytest.approx(2.0)}
