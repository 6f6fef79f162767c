"""What a machine runs out of, and a clock that is set.

Runbooks: `time-drift`, `unreachable-spike`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mtd.testing.faults.catalogue.machine import ClockStep, NoDescriptors, NoMemory
from mtd.testing.faults.clock import FakeClock, may_fake
from mtd.testing.faults.fault import strike
from mtd.testing.faults.fleet import Fleet, place, running

pytestmark = pytest.mark.timeout(300)

ROUTERS, INTERFACES = 10, 3


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running(ROUTERS, INTERFACES) as fleet:
        yield fleet


def test_out_of_descriptors(fleet: Fleet) -> None:
    figures = strike(fleet, NoDescriptors())
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    assert figures.restarts == 0, "it lives on, and polls when it may open sockets again"


def test_a_limit_of_memory(fleet: Fleet) -> None:
    figures = strike(fleet, NoMemory(), held_s=2)
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    assert figures.restarts <= 3


@pytest.mark.skipif(not may_fake(), reason="there is no C compiler, which a clock of its own is made with")
def test_a_clock_that_is_set_forward_and_back() -> None:
    """Live values are live by the clock as it is, after each step; what was acknowledged is there."""
    with place() as folder:
        clock = FakeClock(folder)
        with running(ROUTERS, INTERFACES, folder=folder, environment=clock.environment) as fleet:
            for by_s in (3600, -3600, -3600, 3600):
                figures = strike(fleet, ClockStep(clock, by_s))
                assert (figures.lost, figures.doubled) == (0, 0), figures.examples
                assert figures.restarts == 0
            steps = fleet.value("SELECT count(*) FROM event WHERE event_type = 'collector.clock.stepped'")
            assert steps == 4
