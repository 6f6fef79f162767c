"""The arithmetic of coverage: a lost poll shows, wherever it was due."""

from hypothesis import given
from hypothesis import strategies as st

from mtd.testing.stored import INTERVAL_US, Stored, _add

START = 1_000_000_000


def count(moments: list[int], seconds: float) -> Stored:
    found = Stored()
    _add(found, [(moment, 10) for moment in moments], 10, START, START + round(seconds * 1e6))
    return found


@given(
    phase=st.integers(0, INTERVAL_US - 1),
    seconds=st.floats(5, 90),
    jitter=st.lists(st.integers(-40_000, 40_000), min_size=100, max_size=100),
)
def test_nothing_lost_is_all_of_it(phase: int, seconds: float, jitter: list[int]) -> None:
    end = START + round(seconds * 1e6)
    due = range(START - 3 * INTERVAL_US + phase, end, INTERVAL_US)
    moments = [moment + late for moment, late in zip(due, jitter, strict=False)]
    assert count(moments, seconds).coverage_pct == 100.0


@given(phase=st.integers(0, INTERVAL_US - 1), lost=st.integers(0, 18))
def test_one_lost_poll_shows(phase: int, lost: int) -> None:
    moments = list(range(START - 3 * INTERVAL_US + phase, START + 20 * INTERVAL_US, INTERVAL_US))
    inside = [moment for moment in moments if moment >= START]
    moments.remove(inside[lost])
    found = count(moments, 20.2)
    assert found.polls < found.polls_due
    assert found.routers_short == 1


def test_a_router_that_was_never_polled_counts_whole() -> None:
    found = count([], 20)
    assert (found.polls, found.coverage_pct) == (0, 0.0)
    assert found.polls_due >= 19
