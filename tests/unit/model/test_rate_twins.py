"""A counter that moves between two paces: no interval is lost, none is told twice, and no rate is invented."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mtd.model.rates import RateBank, Rates

FAST_S, SLOW_S = 1.0, 10.0


def twins() -> tuple[RateBank, RateBank]:
    fast, slow = RateBank(FAST_S), RateBank(SLOW_S)
    fast.join(slow)
    return fast, slow


def read(bank: RateBank, at: float, **counters: int | None) -> dict[str, float | None]:
    """Arrange and feed a bank as a menu does; return its rates."""
    return told(counters, feed(bank, at, **counters))  # type: ignore[arg-type]  # none is called late


def feed(bank: RateBank, at: float, *, late: bool = False, **counters: int | None) -> Rates:
    bank.arrange(list(counters), [1.0] * len(counters))
    present = np.array([value is not None for value in counters.values()])
    values = np.array([value or 0 for value in counters.values()], dtype=np.int64)
    return bank.update(at, values, None if present.all() else present, late=late)


def told(counters: dict[str, int | None], rates: Rates) -> dict[str, float | None]:
    values = [None if math.isnan(value) else value for value in rates.values.tolist()]
    return dict(zip(counters, values, strict=True))


def test_a_counter_that_gets_slower_keeps_its_baseline() -> None:
    fast, slow = twins()
    read(fast, 0.0, a=0, b=0)
    assert read(fast, 1.0, a=100, b=7) == {"a": 100.0, "b": 7.0}
    assert read(slow, 4.0, b=28) == {"b": 7.0}
    assert read(fast, 2.0, a=200) == {"a": 100.0}


def test_a_counter_that_left_before_the_other_pace_came_keeps_its_baseline() -> None:
    fast, slow = twins()
    read(fast, 0.0, a=0, b=0)
    read(fast, 1.0, a=1, b=7)
    read(fast, 2.0, a=2)
    assert read(slow, 9.0, b=63) == {"b": 7.0}


def test_a_counter_that_gets_faster_has_a_rate_at_once_though_ten_seconds_are_a_gap_there() -> None:
    fast, slow = twins()
    read(slow, 0.0, a=0, b=0)
    read(slow, 10.0, a=100, b=500)
    rates = feed(fast, 19.0, b=950)
    assert told({"b": 1}, rates) == {"b": 50.0}
    assert not list(rates.doubtful)
    assert read(fast, 20.0, b=1010) == {"b": 60.0}


def test_an_outage_is_a_gap_for_both() -> None:
    fast, slow = twins()
    read(slow, 0.0, a=0)
    assert read(fast, 31.0, a=310) == {"a": None}
    assert read(fast, 32.0, a=320) == {"a": 10.0}


def test_a_reset_on_the_way_is_no_rate_and_is_counted() -> None:
    fast, slow = twins()
    read(slow, 0.0, a=1000)
    rates = feed(fast, 5.0, a=10)
    assert told({"a": 1}, rates) == {"a": None}
    assert rates.resets == 1


def test_a_reboot_is_forgotten_with_all_that_was_handed() -> None:
    fast, slow = twins()
    read(fast, 0.0, a=0, b=0)
    read(fast, 1.0, a=1)
    for bank in (fast, slow):
        bank.reset_baseline()
    assert read(slow, 5.0, b=1000) == {"b": None}


def test_what_was_not_there_or_not_certain_is_not_handed() -> None:
    fast, slow = twins()
    feed(fast, 0.0, a=0, b=None)
    assert read(slow, 1.0, b=10) == {"b": None}
    fast, slow = twins()
    feed(fast, 0.0, b=0, late=True)
    assert read(slow, 1.0, b=10) == {"b": None}


def test_what_was_read_just_now_is_told_from_the_reading_before() -> None:
    fast, slow = twins()
    read(fast, 0.0, a=0)
    read(fast, 1.0, a=100)
    rates = feed(slow, 1.0, a=100)
    assert told({"a": 1}, rates) == {"a": 100.0}
    assert not list(rates.doubtful)


def test_a_rate_over_an_instant_or_over_the_link_is_doubted() -> None:
    fast, slow = twins()
    read(fast, 0.0, a=0)
    assert list(feed(slow, 0.2, a=1).doubtful) == [0]
    fast, slow = twins()
    read(slow, 0.0, a=0)
    fast.arrange(["a"], [1.0])
    fast.set_limits([10.0])
    assert list(fast.update(5.0, np.array([1000])).doubtful) == [0]


def test_readings_of_what_never_comes_back_are_not_kept() -> None:
    fast, _ = twins()
    for second in range(200):
        read(fast, float(second), keep=second, **{f"gone{second}": 1})
    assert len(fast._left) <= 31


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 10**9))
def test_over_all_moves_each_byte_is_told_once(moves: list[bool], quarter: int) -> None:
    """Ten-second steps; in each, one counter is read by one of the banks, ``stay`` by its own."""
    fast, slow = twins()
    speed = 4 * quarter
    read(slow, 0.0, stay2=0, moving=0)
    total = 0.0
    last = 0.0
    for step, quick in enumerate(moves, start=1):
        for second in range(10 * step - 9, 10 * step + 1):
            at = float(second)
            mine = {"moving": second * speed} if quick else {}
            rates = read(fast, at, stay=second, **mine)
            if quick and rates["moving"] is not None:
                assert math.isclose(rates["moving"], speed)
                total += rates["moving"] * (at - last)
                last = at
        at = 10.0 * step + 0.25
        mine = {} if quick else {"moving": int(at * speed)}
        rates = read(slow, at, stay2=step, **mine)
        if not quick:
            found = rates["moving"]
            assert found is not None
            assert math.isclose(found, speed)
            total += found * (at - last)
            last = at
    assert math.isclose(total, last * speed)
