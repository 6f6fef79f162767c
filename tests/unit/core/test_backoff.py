"""Delays grow to a cap, and never agree among devices that failed together."""

import random

from hypothesis import given
from hypothesis import strategies as st

from mtd.core.backoff import Backoff


@given(failures=st.integers(1, 5000), seed=st.integers())
def test_delays_stay_between_the_jittered_first_and_the_cap(failures: int, seed: int) -> None:
    backoff = Backoff(1.0, 30.0, jitter=0.3, rng=random.Random(seed))
    delays = [backoff.next_delay() for _ in range(failures)]
    assert all(0.7 <= delay <= 30.0 for delay in delays)
    assert all(delay >= 21.0 for delay in delays[6:])


def test_reset_starts_over() -> None:
    backoff = Backoff(1.0, 30.0, jitter=0.0)
    assert [backoff.next_delay() for _ in range(6)] == [1, 2, 4, 8, 16, 30]
    backoff.reset()
    assert backoff.next_delay() == 1.0


def test_two_devices_do_not_come_back_together() -> None:
    one, two = Backoff(rng=random.Random(1)), Backoff(rng=random.Random(2))
    assert [one.next_delay() for _ in range(3)] != [two.next_delay() for _ in range(3)]
