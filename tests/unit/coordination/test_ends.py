"""When leases of others are over, by two clocks."""

from __future__ import annotations

import pytest

from mtd.coordination.ends import Ends, Seen
from mtd.coordination.service import TAKER
from mtd.model.assignment import LeaseState

TTL_S = 6.0


class Watch:
    """Looks at one lease, at a time of its own."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ends = Ends(TTL_S, self)

    def now_us(self) -> int:
        return 0

    def monotonic(self) -> float:
        return self.now

    def look(self, left_s: float, *, after_s: float, holder: str = "a") -> Seen:
        """Look again after a time."""
        self.now += after_s
        return self.ends.look([LeaseState("x", holder, 1, left_s)])


def test_a_lease_that_runs_out_is_over() -> None:
    watch = Watch()
    assert watch.look(6.0, after_s=0).next_s == pytest.approx(6.0)
    assert watch.look(2.0, after_s=4).over == frozenset()
    assert watch.look(0.0, after_s=2.05).over == {"x"}
    assert watch.look(0.0, after_s=1).over == {"x"}


def test_a_clock_that_was_set_ends_no_lease_early() -> None:
    watch = Watch()
    watch.look(5.0, after_s=0)
    assert watch.look(0.0, after_s=1).over == frozenset()  # 5 s were left a second ago
    assert watch.look(0.0, after_s=5).over == frozenset()
    assert watch.look(0.0, after_s=1.1).over == {"x"}


def test_a_clock_that_was_set_and_a_holder_that_renews() -> None:
    watch = Watch()
    watch.look(5.0, after_s=0)
    watch.look(0.0, after_s=1)
    assert watch.look(5.5, after_s=1).over == frozenset()
    assert watch.look(0.0, after_s=5.5).over == {"x"}


def test_a_clock_that_was_set_back_gives_no_lease_more_than_it_has() -> None:
    watch = Watch()
    assert watch.look(3600.0, after_s=0).next_s == pytest.approx(TTL_S)


def test_after_a_time_without_the_store_all_have_a_whole_lease_to_renew() -> None:
    watch = Watch()
    watch.look(6.0, after_s=0)
    assert watch.look(0.0, after_s=300).over == frozenset()
    assert watch.look(0.0, after_s=5.9).over == frozenset()
    assert watch.look(0.0, after_s=0.2).over == {"x"}


def test_what_was_never_seen_good_has_to_wait() -> None:
    watch = Watch()
    assert watch.look(0.0, after_s=0).over == frozenset()
    assert watch.look(0.0, after_s=5.9).over == frozenset()
    assert watch.look(0.0, after_s=0.2).over == {"x"}


def test_what_a_coordinator_took_and_let_go_is_over_at_once() -> None:
    """Its holder was told when it was taken: nobody has to wait for a whole lease more."""
    watch = Watch()
    watch.look(6.0, after_s=0)
    assert watch.look(0.0, after_s=6.0).over == {"x"}
    assert watch.look(6.0, after_s=0.1, holder=f"{TAKER}/a").over == frozenset()
    assert watch.look(0.0, after_s=0.1, holder=f"{TAKER}/a").over == {"x"}


def test_another_holder_is_another_lease() -> None:
    watch = Watch()
    watch.look(6.0, after_s=0)
    watch.look(0.0, after_s=6.0)
    assert watch.look(0.0, after_s=0.1, holder="b").over == frozenset()
