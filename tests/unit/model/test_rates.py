"""Law 5: no rate across a reboot, a reset, a wrap or a gap; the true rate otherwise."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.rates import RateBank, Rates

MAX_INT64 = 2**63 - 1


def bank(*keys: str, scale: float = 1.0, interval_s: float = 1.0) -> RateBank:
    made = RateBank(interval_s)
    made.arrange(keys or ("a",), [scale] * len(keys or ("a",)))
    return made


def feed(one: RateBank, at: float, *counters: int | None, late: bool = False) -> Rates:
    present = None
    if None in counters:
        present = np.array([counter is not None for counter in counters])
    return one.update(
        at, np.array([counter or 0 for counter in counters], dtype=np.int64), present, late=late
    )


def listed(rates: Rates) -> list[float | None]:
    return [None if math.isnan(value) else value for value in rates.values.tolist()]


def test_first_sight_has_no_rate_and_the_second_has() -> None:
    one = bank(scale=8.0)
    assert listed(feed(one, 10.0, 1000)) == [None]
    assert listed(feed(one, 12.0, 2000)) == [4000.0]


def test_a_counter_that_falls_has_no_rate_and_starts_again() -> None:
    one = bank("a", "b")
    feed(one, 0.0, 1000, 10)
    fallen = feed(one, 1.0, 400, 20)
    assert listed(fallen) == [None, 10.0]
    assert fallen.resets == 1
    assert listed(feed(one, 2.0, 450, 30)) == [50.0, 10.0]


@pytest.mark.parametrize("bits", [32, 63])
def test_a_wrap_is_a_reset_and_never_a_spike(bits: int) -> None:
    one = bank()
    feed(one, 0.0, 2**bits - 100)
    assert listed(feed(one, 1.0, 50)) == [None]


def test_a_reboot_resets_every_baseline_even_if_counters_grew() -> None:
    one = bank("a", "b")
    feed(one, 0.0, 10, 10)
    one.reset_baseline()
    assert listed(feed(one, 1.0, 500, 20)) == [None, None]
    assert listed(feed(one, 2.0, 510, 30)) == [10.0, 10.0]


def test_a_gap_over_three_intervals_has_no_rate() -> None:
    one = bank()
    feed(one, 0.0, 0)
    assert listed(feed(one, 3.0, 30)) == [10.0]
    silent = feed(one, 6.001, 60)
    assert (listed(silent), silent.gap) == ([None], True)
    assert listed(feed(one, 7.001, 70)) == [pytest.approx(10.0)]


def test_an_absent_counter_has_no_rate_until_it_was_seen_twice_again() -> None:
    one = bank("a", "b")
    feed(one, 0.0, 0, 0)
    assert listed(feed(one, 1.0, None, 5)) == [None, 5.0]
    assert listed(feed(one, 2.0, 100, 10)) == [None, 5.0]
    assert listed(feed(one, 3.0, 110, 15)) == [10.0, 5.0]


def test_time_that_does_not_advance_tells_nothing_and_spoils_nothing() -> None:
    one = bank()
    feed(one, 5.0, 100)
    assert listed(feed(one, 5.0, 120)) == [None]
    assert listed(feed(one, 4.0, 120)) == [None]
    assert listed(feed(one, 6.0, 150)) == [50.0]


def test_a_late_poll_doubts_the_rates_on_both_its_sides() -> None:
    one = bank("a", "b")
    feed(one, 0.0, 0, 0)
    assert list(feed(one, 1.0, 1, 1).doubtful) == []
    assert list(feed(one, 2.0, 2, 2, late=True).doubtful) == [0, 1]
    assert list(feed(one, 3.0, 3, 3).doubtful) == [0, 1]
    assert list(feed(one, 4.0, 4, 4).doubtful) == []


@pytest.mark.parametrize(("elapsed", "doubted"), [(0.49, True), (0.5, False), (1.5, False), (1.51, True)])
def test_an_uneven_interval_doubts_its_rates(elapsed: float, doubted: bool) -> None:
    one = bank()
    feed(one, 0.0, 0)
    assert bool(feed(one, elapsed, 10).doubtful) is doubted


def test_a_rate_over_the_link_is_doubted_first_and_discarded_if_two_intervals_exceed_it() -> None:
    one = bank("a", "b", scale=8.0)
    one.set_limits([1000.0, math.inf])
    feed(one, 0.0, 0, 0)
    first = feed(one, 1.0, 1000, 1000)
    assert (listed(first), list(first.doubtful), first.discarded) == ([8000.0, 8000.0], [0], 0)
    second = feed(one, 2.0, 2000, 2000)
    assert (listed(second), list(second.doubtful), second.discarded) == ([None, 8000.0], [], 1)


def test_a_burst_that_two_intervals_explain_is_kept() -> None:
    # The router counted late: little in one interval, and the rest in the next.
    one = bank(scale=8.0)
    one.set_limits([1000.0])
    feed(one, 0.0, 0)
    feed(one, 1.0, 10)
    burst = feed(one, 2.0, 240)
    assert (listed(burst), list(burst.doubtful), burst.discarded) == ([1840.0], [0], 0)


@pytest.mark.parametrize(("bits", "doubted"), [(1050, False), (1051, True)])
def test_the_link_has_a_margin_of_five_percent(bits: int, doubted: bool) -> None:
    one = bank()
    one.set_limits([1000.0])
    feed(one, 0.0, 0)
    assert bool(feed(one, 1.0, bits).doubtful) is doubted


def test_a_reset_between_two_intervals_leaves_their_average_unknown() -> None:
    one = bank()
    one.set_limits([1000.0])
    feed(one, 0.0, 50)
    feed(one, 1.0, 0)
    over = feed(one, 2.0, 5000)
    assert (listed(over), list(over.doubtful), over.discarded) == ([5000.0], [0], 0)


def test_a_new_layout_keeps_the_baselines_of_its_keys() -> None:
    one = bank("a", "b", "c")
    feed(one, 0.0, 10, 20, 30)
    one.arrange(["c", "new", "a"], [1.0, 1.0, 2.0])
    assert listed(feed(one, 1.0, 31, 500, 12)) == [1.0, None, 4.0]
    one.arrange([], [])
    feed(one, 2.0)
    one.arrange(["a"], [1.0])
    assert listed(feed(one, 3.0, 20)) == [None]


def test_limits_are_forgotten_with_the_layout_they_belong_to() -> None:
    one = bank("a", "b")
    one.set_limits([10.0, math.inf])
    one.arrange(["b", "a"], [1.0, 1.0])
    feed(one, 0.0, 0, 0)
    assert list(feed(one, 1.0, 100, 100).doubtful) == []


@dataclass(frozen=True)
class Step:
    """What happens before a poll."""

    growth: int
    elapsed: float
    happening: str  # "", "reboot", "reset", "wrap", "absent"


steps = st.lists(
    st.builds(
        Step,
        growth=st.integers(0, 2**40),
        elapsed=st.floats(0.05, 6.0),
        happening=st.sampled_from(["", "", "", "", "reboot", "reset", "wrap", "absent"]),
    ),
    min_size=1,
    max_size=25,
)


@given(steps=steps, start=st.integers(0, 2**62), clock=st.floats(0, 1e7))
def test_every_rate_is_the_true_one_or_none(steps: list[Step], start: int, clock: float) -> None:
    """Whatever happens: a rate that is told is the growth over the interval, and none is told across a break."""
    one = bank(scale=8.0)
    counter: int = start
    known = False
    feed_at = clock
    for number, step in enumerate(steps):
        at = feed_at + step.elapsed
        broken = not known or at - feed_at > 3.0
        before = counter
        if step.happening == "reboot":
            one.reset_baseline()
            counter, broken = step.growth, True
        elif step.happening in {"reset", "wrap"}:
            counter = step.growth % (before + 1) if step.happening == "reset" else min(before, step.growth)
            # A reset to the same number can't be told from silence, and has the same rate: none flowed.
            broken = broken or counter < before
        elif before + step.growth <= MAX_INT64:
            counter = before + step.growth
        given = None if step.happening == "absent" else counter
        result = feed(one, at, given)
        [rate] = listed(result)
        if broken or given is None or number == 0:
            assert rate is None
        else:
            assert rate == pytest.approx((counter - before) * 8.0 / (at - feed_at), rel=1e-12, abs=1e-9)
        known, feed_at = given is not None, at


@given(
    rate=st.floats(0, 1e11),
    jitters=st.lists(st.floats(-0.2, 0.2), min_size=3, max_size=12),
)
def test_a_steady_rate_is_recovered_however_uneven_the_polls(rate: float, jitters: list[float]) -> None:
    one = bank()
    for number, jitter in enumerate(jitters):
        at = number + 1 + jitter
        [found] = listed(feed(one, at, int(rate * at)))
        if number:
            assert found == pytest.approx(rate, rel=1e-6, abs=4.0)


def test_two_routers_with_equal_interfaces_know_nothing_of_each_other() -> None:
    one, other = bank("ether1"), bank("ether1")
    feed(one, 0.0, 100)
    feed(other, 0.0, 900)
    assert listed(feed(one, 1.0, 150)) == [50.0]
    assert listed(feed(other, 1.0, 1000)) == [100.0]


def test_rates_of_thirty_interfaces_cost_little() -> None:
    """270 rates in about 7 microseconds on an idle machine; a tenth of that speed is still no fault of the code."""
    count, polls = 270, 300
    one = bank(*(str(n) for n in range(count)), scale=8.0)
    one.set_limits([1e9] * count)
    readings = [np.arange(count, dtype=np.int64) + poll * 1000 for poll in range(polls)]
    best = math.inf
    for attempt in range(3):
        started = time.process_time()
        for poll, reading in enumerate(readings):
            one.update(attempt * 1e6 + poll, reading)
        best = min(best, (time.process_time() - started) / polls)
    assert best < 100e-6
