"""Who guesses waits, ever longer, and costs bounded memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtd.api.login.throttle import MOST_KEYS, Throttle
from tests.unit.api.console.kit import FakeClock


def fail(throttle: Throttle, *keys: str) -> float:
    throttle.begin(*keys)
    return throttle.wait_s(*keys)


def test_waits_double_up_to_the_longest() -> None:
    clock = FakeClock()
    throttle = Throttle(3, 2.0, 20.0, clock)
    waits = []
    for _ in range(8):
        clock.now += throttle.wait_s("user ann")
        waits.append(fail(throttle, "user ann"))
    assert waits == [0, 0, 2, 4, 8, 16, 20, 20]
    assert throttle.wait_s("user ben") == 0
    clock.now += 20.1
    assert throttle.wait_s("user ann") == 0
    clock.now += 100  # long enough to have forgotten
    assert [fail(throttle, "user ann") for _ in range(3)] == [0, 0, 2]


def test_a_login_clears_the_user_and_not_those_who_guess_from_there() -> None:
    clock = FakeClock()
    throttle = Throttle(2, 10.0, 100.0, clock)
    for name in ("ann", "ben", "cid"):
        clock.now += throttle.wait_s(f"user {name}", "peer p")
        throttle.begin(f"user {name}", "peer p")
    clock.now += throttle.wait_s("peer p")
    throttle.begin("user dot", "peer p")
    throttle.succeeded("user dot", "peer p")
    assert throttle.wait_s("user dot", "peer p") == 0
    assert fail(throttle, "user ann", "peer p") == 40  # the fourth failure from there


def test_what_could_not_be_looked_at_is_no_failure() -> None:
    throttle = Throttle(1, 10.0, 100.0, FakeClock())
    throttle.begin("user ann", "peer p")
    throttle.take_back("user ann", "peer p")
    assert throttle.wait_s("user ann", "peer p") == 0
    throttle.take_back("user ann", "nobody")


def test_a_refusal_is_told_once_for_each_wait() -> None:
    clock = FakeClock()
    throttle = Throttle(1, 10.0, 100.0, clock)
    throttle.begin("u", "p")
    assert [throttle.is_first_refusal("u", "p") for _ in range(3)] == [True, False, False]
    clock.now += 10
    throttle.begin("u", "p")
    assert throttle.is_first_refusal("u", "p")


@given(st.lists(st.integers(0, 50), max_size=200))
def test_no_failure_of_others_makes_a_wait_shorter(keys: list[int]) -> None:
    throttle = Throttle(1, 10.0, 100.0, FakeClock())
    wait = fail(throttle, "user ann")
    for key in keys:
        throttle.begin(f"user {key}")
    assert throttle.wait_s("user ann") == wait


def test_memory_is_bounded() -> None:
    throttle = Throttle(1, 10.0, 100.0, FakeClock())
    for number in range(MOST_KEYS + 10):
        throttle.begin(f"user {number}")
    assert len(throttle._failed) == MOST_KEYS
    assert throttle.wait_s("user 0") == 0
    assert throttle.wait_s(f"user {MOST_KEYS}") == 10
