"""Due times without a session are counted once each."""

from hypothesis import given
from hypothesis import strategies as st

from mtd.model.metric import Tier
from mtd.scheduler.missed import MissedPolls


def test_nothing_is_missed_while_there_is_a_session() -> None:
    missed = MissedPolls({Tier.T0: 1.0})
    missed.went_down(0.0)
    assert missed.came_up(3.5) == {Tier.T0: 3}
    assert missed.advance(100.0) == {}


def test_each_tier_counts_by_its_own_interval() -> None:
    missed = MissedPolls({Tier.T0: 1.0, Tier.T1: 10.0, Tier.T2: 60.0})
    missed.went_down(0.0)
    assert missed.advance(25.0) == {Tier.T0: 25, Tier.T1: 2}


@given(steps=st.lists(st.floats(0, 50), min_size=1, max_size=40))
def test_looking_often_counts_the_same_as_looking_once(steps: list[float]) -> None:
    often, once = MissedPolls({Tier.T0: 1.0}), MissedPolls({Tier.T0: 1.0})
    often.went_down(0.0)
    once.went_down(0.0)
    now, total = 0.0, 0
    for step in steps:
        now += step
        total += often.advance(now).get(Tier.T0, 0)
    assert abs(total - once.advance(now).get(Tier.T0, 0)) <= 1
