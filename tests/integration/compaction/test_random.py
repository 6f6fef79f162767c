"""Frames in any order, again, and late, with workers that are killed at random: in the end each poll is there once."""

from __future__ import annotations

import random

import pytest

from mtd.storage.partitioned import HOUR_US
from tests.integration.compaction import dying
from tests.integration.compaction.kit import (
    HOUR,
    LAYOUT,
    ONE_PORT,
    Frame,
    S,
    cold,
    compact,
    declare,
    expected,
    frame_partitions,
    put,
    stored,
    sums,
)
from tests.integration.compaction.naive import check_rollups
from tests.integration.compaction.test_crashes import die, wait_for_its_end

DEADLY = sorted(step for step in dying.STEPS if "day" not in step and step != "recoded")


def history(chance: random.Random) -> list[Frame]:
    """Return three hours of a router: reboots, ports that come and go, outages, values that are absent."""
    frames, counter, us = [], chance.getrandbits(50), HOUR - 2 * HOUR_US
    layout = LAYOUT
    while us < HOUR + HOUR_US:
        if chance.random() < 0.01:
            layout = ONE_PORT if layout is LAYOUT else LAYOUT
        counter = chance.getrandbits(10) if chance.random() < 0.01 else counter + chance.getrandbits(24)
        counters = [counter if chance.random() > 0.03 else None, counter * 3]
        gauges = [
            chance.choice([None, chance.randrange(100) / 10, chance.random()]),
            float(chance.randrange(3)),
        ]
        frames.append(Frame(us, counters[: len(layout.series) - 3], gauges, layout, seq=len(frames)))
        us += 10 * S + chance.randrange(-3, 3) * 1000
        if chance.random() < 0.01:
            us += chance.randrange(3000) * S
    return [frame for frame in frames if frame.us < HOUR + HOUR_US]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens(postgres_dsn: str, seed: int) -> None:
    chance = random.Random(seed)
    declare(postgres_dsn, LAYOUT, ONE_PORT)
    frames = history(chance)
    waiting, told = frames.copy(), list[Frame]()
    if seed:
        chance.shuffle(waiting)
    while waiting:
        count = chance.randrange(1, len(frames) // 4)
        part, waiting = waiting[:count], waiting[count:]
        put(postgres_dsn, part + chance.sample(told, len(told) // 5))
        told += part
        if chance.random() < 0.4:
            died = die(postgres_dsn, chance.choice(DEADLY))
            assert died in (0, -9)  # not every round has every step
            wait_for_its_end(postgres_dsn)
        else:
            assert not compact(postgres_dsn).failed
    assert not compact(postgres_dsn).failed
    assert sums(stored(postgres_dsn)) == sums(expected(frames))
    assert cold(postgres_dsn) == expected(frames)
    assert frame_partitions(postgres_dsn) == []
    check_rollups(postgres_dsn, 10_000)
