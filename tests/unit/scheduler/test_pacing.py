"""Due times stand on a fixed grid, whatever the polls do."""

from hypothesis import given
from hypothesis import strategies as st

from mtd.scheduler.pacing import Pacer


def test_a_quick_poll_is_followed_by_the_next_due_time() -> None:
    pacer = Pacer(1.0, phase=10.0)
    assert pacer.advance(10.2) == 0
    assert pacer.next_due == 11.0


def test_a_long_poll_skips_the_due_times_it_ran_through() -> None:
    pacer = Pacer(1.0, phase=10.0)
    assert pacer.advance(13.5) == 3
    assert pacer.next_due == 14.0


@given(
    interval=st.floats(0.1, 60),
    durations=st.lists(st.floats(0, 200), min_size=1, max_size=50),
)
def test_every_due_time_is_served_or_counted(interval: float, durations: list[float]) -> None:
    pacer = Pacer(interval, phase=0.0)
    now = 0.0
    served = skipped = 0
    for duration in durations:
        now = max(now, pacer.next_due) + duration
        served += 1
        skipped += pacer.advance(now)
        assert pacer.next_due > now - 1e-6
    # The grid has no holes: what was not served was counted.
    assert round(pacer.next_due / interval) == served + skipped
