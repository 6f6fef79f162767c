"""A clock that is set is told; one that drifts, or is corrected slowly, is not."""

from __future__ import annotations

from mtd.app.clock_watch import STEPPED, ClockWatch
from mtd.model.moments import CREDIBLE_AHEAD_S, is_from_future
from mtd.model.observation import StateChange


class TwoClocks:
    """A wall clock and a monotonic one, set by hand."""

    def __init__(self) -> None:
        self.wall_s, self.monotonic_s = 1_000_000.0, 50.0

    def now_us(self) -> int:
        return round(self.wall_s * 1e6)

    def monotonic(self) -> float:
        return self.monotonic_s

    def passes(self, seconds: float, *, wall_s: float | None = None) -> None:
        self.monotonic_s += seconds
        self.wall_s += seconds if wall_s is None else wall_s


def watching(clock: TwoClocks) -> tuple[ClockWatch, list[StateChange]]:
    told: list[StateChange] = []
    watch = ClockWatch("here", told.append, clock)
    watch._offset_s = watch._offset()
    return watch, told


def test_a_step_is_told_once_with_its_size_and_direction() -> None:
    clock = TwoClocks()
    watch, told = watching(clock)
    clock.passes(1, wall_s=3601)
    watch.look()
    clock.passes(1)
    watch.look()
    clock.passes(1, wall_s=-3599)
    watch.look()
    assert [(one.event_type, round(float(one.new))) for one in told] == [(STEPPED, 3600), (STEPPED, -3600)]
    assert "forward by 3600.0 s" in told[0].message
    assert "back by 3600.0 s" in told[1].message


def test_what_ntp_does_slowly_is_not_told() -> None:
    clock = TwoClocks()
    watch, told = watching(clock)
    for _ in range(10_000):
        clock.passes(1, wall_s=1.0005)
        watch.look()
    assert not told


def test_only_what_is_far_ahead_gives_way() -> None:
    now_us = 10**15
    ahead_us = CREDIBLE_AHEAD_S * 1_000_000
    assert not is_from_future(now_us, now_us)
    assert not is_from_future(now_us + ahead_us, now_us)
    assert is_from_future(now_us + ahead_us + 1, now_us)
