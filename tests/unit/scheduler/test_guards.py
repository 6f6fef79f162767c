"""The CPU guard needs a run of polls to change its mind."""

import math

from mtd.model.metric import Tier
from mtd.scheduler.guards import PRESSURE_LIMIT, CpuGuard


def feed(guard: CpuGuard, *loads: float) -> list[bool]:
    return [guard.update(load) for load in loads]


def test_it_acts_after_a_run_over_the_limit() -> None:
    guard = CpuGuard(90, 75, polls=3)
    assert feed(guard, 95, 95, 95) == [False, False, True]
    assert guard.active


def test_one_calm_poll_breaks_the_run() -> None:
    guard = CpuGuard(90, 75, polls=3)
    assert feed(guard, 95, 95, 10, 95, 95) == [False] * 5
    assert not guard.active


def test_it_lets_go_only_below_the_release_limit() -> None:
    guard = CpuGuard(90, 75, polls=2)
    feed(guard, 99, 99)
    assert feed(guard, 80, 80, 80) == [False] * 3
    assert feed(guard, 60, 60) == [False, True]
    assert not guard.active


def test_an_absent_load_is_no_load() -> None:
    guard = CpuGuard(90, 75, polls=1)
    assert not guard.update(math.nan)


def test_live_values_are_the_last_to_give_way() -> None:
    limits = [PRESSURE_LIMIT[tier] for tier in (Tier.T3, Tier.T2, Tier.T1, Tier.T0)]
    assert limits == sorted(limits)
    assert limits[-1] < 1.0
