"""The load curves and their exact integrals."""

import numpy as np
import pytest

from mtd.lab.wave import AMPLITUDE, PERIODS_TICKS, Dice, mix, wave


@pytest.mark.parametrize("period", PERIODS_TICKS)
def test_integral_is_the_running_sum_of_the_heights(period: int) -> None:
    curve = wave(period)
    assert np.array_equal(np.diff(curve.integral), curve.height[:-1])
    assert curve.integral[-1] + curve.height[-1] == 0


@pytest.mark.parametrize("period", PERIODS_TICKS)
def test_height_follows_a_sine(period: int) -> None:
    curve = wave(period)
    sine = AMPLITUDE * np.sin(2 * np.pi * np.arange(period) / period)
    assert np.abs(curve.height - sine).max() <= 1.6
    assert np.abs(curve.height).max() == AMPLITUDE


def test_mixing_depends_on_each_key_and_their_order() -> None:
    assert len({mix(1, 2), mix(2, 1), mix(1), mix(1, 2, 0), mix(1, 3)}) == 5


def test_dice_stay_within_bounds_and_repeat() -> None:
    first, second = Dice(4, 2), Dice(4, 2)
    rolls = [first.between(3, 9) for _ in range(200)]
    assert rolls == [second.between(3, 9) for _ in range(200)]
    assert set(rolls) == set(range(3, 10))
