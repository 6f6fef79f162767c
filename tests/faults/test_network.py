"""What happens on the way to routers: packets lost, late, or gone for good; names that nobody tells.

Runbooks: `unreachable-spike`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mtd.testing.faults.catalogue.network import HalfOpen, Latency, NoNames, PacketLoss
from mtd.testing.faults.fault import Fault, Figures, strike
from mtd.testing.faults.network import may_network
from mtd.testing.faults.networked import NetworkFleet, on_a_bad_line

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not may_network(), reason="only root can make the networks and lines that are bad here"
    ),
]

ROUTERS, INTERFACES = 8, 3


@pytest.fixture(scope="module")
def fleet() -> Iterator[NetworkFleet]:
    with on_a_bad_line(ROUTERS, INTERFACES) as fleet:
        yield fleet


def struck(fleet: NetworkFleet, fault: Fault, held_s: float = 0.0) -> Figures:
    figures = strike(fleet, fault, held_s=held_s)
    assert figures.acknowledged > ROUTERS
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    assert figures.restarts == 0
    return figures


@pytest.mark.long
def test_a_line_that_loses_three_packets_of_ten(fleet: NetworkFleet) -> None:
    struck(fleet, PacketLoss(fleet.line), held_s=3)
    seen = fleet.line.dropped / (fleet.line.dropped + fleet.line.passed)
    assert fleet.line.dropped > ROUTERS
    assert 0 < seen < 0.4


def test_a_line_that_takes_its_time(fleet: NetworkFleet) -> None:
    """Eight tenths of a second for each answer: late, and there."""
    struck(fleet, Latency(fleet.line))
    assert down(fleet) == 0


def test_connections_that_are_forgotten_on_the_way(fleet: NetworkFleet) -> None:
    before = fleet.line.dropped
    struck(fleet, HalfOpen(fleet.line))
    assert fleet.line.dropped > before


def test_names_that_nobody_tells(fleet: NetworkFleet) -> None:
    asked = fleet.names.asked
    struck(fleet, NoNames(fleet.names), held_s=3)
    assert fleet.names.asked > asked


def down(fleet: NetworkFleet) -> int:
    return int(fleet.value("SELECT count(*) FROM device_status WHERE status <> 'up'"))
