"""The breaker, against all histories of a peer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from mtd.core.breaker import Breaker

THRESHOLD, OPEN_S = 3, 30.0


def opened(now: float = 100.0) -> Breaker:
    breaker = Breaker(THRESHOLD, OPEN_S)
    for _ in range(THRESHOLD):
        breaker.failed(now)
    return breaker


def test_it_opens_at_the_threshold_and_not_before() -> None:
    breaker = Breaker(THRESHOLD, OPEN_S)
    for _ in range(THRESHOLD - 1):
        breaker.failed(100.0)
        assert breaker.wait_s(100.0) == 0.0
    breaker.failed(100.0)
    assert breaker.wait_s(110.0) == 20.0
    assert breaker.wait_s(130.0) == 0.0


def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = Breaker(THRESHOLD, OPEN_S)
    for _ in range(10):
        breaker.failed(1.0)
        breaker.failed(1.0)
        breaker.succeeded()
    assert breaker.wait_s(1.0) == 0.0


def test_a_failed_trial_opens_it_again_and_a_good_one_closes_it() -> None:
    breaker = opened()
    breaker.failed(131.0)
    assert breaker.wait_s(131.0) == OPEN_S
    breaker.succeeded()
    assert breaker.wait_s(131.0) == 0.0
    breaker.failed(132.0)
    assert breaker.wait_s(132.0) == 0.0


def test_a_late_failure_of_an_older_attempt_does_not_prolong_the_wait() -> None:
    breaker = opened()
    breaker.failed(120.0, open_s=500.0)
    assert breaker.wait_s(120.0) == 10.0


def test_an_opening_may_have_a_length_of_its_own() -> None:
    breaker = opened()
    breaker.failed(130.0, open_s=7.0)
    assert breaker.wait_s(130.0) == 7.0
    breaker.failed(137.0)
    assert breaker.wait_s(137.0) == OPEN_S


@given(st.integers(1, 10), st.floats(0.1, 1e6), st.floats(0, 1e9))
def test_the_wait_is_never_longer_than_asked_for(threshold: int, open_s: float, now: float) -> None:
    breaker = Breaker(threshold, open_s)
    for _ in range(threshold + 2):
        breaker.failed(now)
        assert 0.0 <= breaker.wait_s(now) <= open_s * 1.001


class BreakerMachine(RuleBasedStateMachine):
    """Any order of time, successes and failures, against a list of what happened."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(THRESHOLD, OPEN_S)
        self.now = 1000.0
        self.in_row: list[tuple[float, float]] = []

    @rule(seconds=st.sampled_from([0.0, 1.0, OPEN_S / 2, OPEN_S, OPEN_S * 3]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(open_s=st.sampled_from([None, 1.0, OPEN_S * 2]))
    def it_fails(self, open_s: float | None) -> None:
        self.breaker.failed(self.now, open_s)
        self.in_row.append((self.now, OPEN_S if open_s is None else open_s))

    @rule()
    def it_succeeds(self) -> None:
        self.breaker.succeeded()
        self.in_row.clear()

    @invariant()
    def it_waits_as_the_history_says(self) -> None:
        until = 0.0
        for at, open_s in self.in_row[THRESHOLD - 1 :]:
            if at >= until:
                until = at + open_s
        assert self.breaker.wait_s(self.now) == max(0.0, until - self.now)


TestBreakerMachine = BreakerMachine.TestCase
