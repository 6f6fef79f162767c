"""The breaker, against all histories of a peer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mtd.core.breaker import Breaker, BreakerState

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
        assert breaker.state(100.0) is BreakerState.CLOSED
        assert breaker.wait_s(100.0) == 0.0
    breaker.failed(100.0)
    assert breaker.state(100.0) is BreakerState.OPEN
    assert breaker.wait_s(110.0) == 20.0
    assert not breaker.allows(129.9)


def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = Breaker(THRESHOLD, OPEN_S)
    for _ in range(10):
        breaker.failed(1.0)
        breaker.failed(1.0)
        breaker.succeeded()
    assert breaker.state(1.0) is BreakerState.CLOSED


def test_half_open_allows_one_trial() -> None:
    breaker = opened()
    assert breaker.allows(130.0)
    assert breaker.state(130.0) is BreakerState.HALF_OPEN
    assert not breaker.allows(130.0)


def test_a_failed_trial_opens_it_again_and_a_good_one_closes_it() -> None:
    breaker = opened()
    assert breaker.allows(130.0)
    breaker.failed(131.0)
    assert breaker.wait_s(131.0) == OPEN_S
    assert breaker.allows(161.0)
    breaker.succeeded()
    assert breaker.state(161.0) is BreakerState.CLOSED
    assert breaker.allows(161.0)


def test_a_late_failure_of_an_older_attempt_does_not_prolong_the_wait() -> None:
    breaker = opened()
    breaker.failed(120.0)
    assert breaker.wait_s(120.0) == 10.0


@given(st.integers(1, 10), st.floats(0.1, 1e6), st.floats(0, 1e9))
def test_the_wait_is_never_longer_than_asked_for(threshold: int, open_s: float, now: float) -> None:
    breaker = Breaker(threshold, open_s)
    for _ in range(threshold + 2):
        breaker.failed(now)
        assert 0.0 <= breaker.wait_s(now) <= open_s * 1.001


class BreakerMachine(RuleBasedStateMachine):
    """Any order of time, trials, successes and failures."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(THRESHOLD, OPEN_S)
        self.now = 1000.0
        self.in_row = 0
        self.trial = False

    @rule(seconds=st.sampled_from([0.0, 1.0, OPEN_S / 2, OPEN_S, OPEN_S * 3]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def somebody_asks(self) -> None:
        before = self.breaker.state(self.now)
        allowed = self.breaker.allows(self.now)
        if before is BreakerState.CLOSED:
            assert allowed
        elif before is BreakerState.OPEN:
            assert not allowed
        else:
            assert allowed is not self.trial
            self.trial = True

    @rule()
    def it_fails(self) -> None:
        self.breaker.failed(self.now)
        self.in_row += 1
        self.trial = False

    @precondition(lambda self: self.breaker.state(self.now) is not BreakerState.OPEN)
    @rule()
    def it_succeeds(self) -> None:
        self.breaker.succeeded()
        self.in_row = 0
        self.trial = False

    @invariant()
    def it_is_closed_below_the_threshold_only(self) -> None:
        closed = self.breaker.state(self.now) is BreakerState.CLOSED
        assert closed == (self.in_row < THRESHOLD)
        assert (self.breaker.wait_s(self.now) > 0) == (self.breaker.state(self.now) is BreakerState.OPEN)


TestBreakerMachine = BreakerMachine.TestCase
