"""Routers that misbehave: told by name, no burden for the others, polled again when they are well.

Runbooks: `unreachable-spike`, `router-cpu`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mtd.testing.faults.catalogue.routers import (
    Routers,
    all_reboot,
    half_open,
    reconnect_storm,
    slow_loris,
    ten_million_rows,
)
from mtd.testing.faults.fault import strike
from mtd.testing.faults.fleet import Fleet, running
from mtd.testing.harness import memory_of

pytestmark = pytest.mark.timeout(300)

ROUTERS, INTERFACES = 40, 3
GATE = 4
MEMORY_BYTES = 48 * 1024 * 1024


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with running(
        ROUTERS, INTERFACES, settings={"scheduler": {"max_connecting": GATE, "max_reconnecting": GATE}}
    ) as fleet:
        yield fleet


def struck(fleet: Fleet, fault: Routers) -> None:
    figures = strike(fleet, fault)
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    assert figures.restarts == 0


def test_all_routers_reboot_at_once(fleet: Fleet) -> None:
    struck(fleet, all_reboot())
    fleet.wait_for(lambda: rebooted(fleet) >= ROUTERS, "each of them is back, and its reboot an event", 60)


def test_a_storm_of_reconnects_passes_a_gate(fleet: Fleet) -> None:
    """All want in at once: a few at a time may, and none is hammered."""
    before = connections(fleet)
    struck(fleet, reconnect_storm())
    after = connections(fleet)
    assert max(after[name] - before[name] for name in after) <= 10
    assert all(after[name] > before[name] for name in after)


@pytest.mark.long
def test_sessions_that_are_half_open_are_given_up(fleet: Fleet) -> None:
    struck(fleet, half_open())


@pytest.mark.parametrize("fault", [slow_loris(), ten_million_rows()], ids=lambda fault: fault.name)
def test_one_router_burdens_none_but_itself(fleet: Fleet, fault: Routers) -> None:
    fleet.wait_until_polled()
    before, began = memory_of(fleet.pid), fleet.clock()
    fault.strike(fleet)
    fleet.wait_for(lambda: fault.noticed(fleet), "it is told", 60)
    # The others, meanwhile: each is polled anew, several times.
    for _ in range(3):
        moment = fleet.clock()
        fleet.wait_for(lambda moment=moment: fleet.fresh(moment, ROUTERS - 1), "all others are polled", 30)
    assert memory_of(fleet.pid) - before < MEMORY_BYTES
    ended = fleet.clock()
    failed_others = fleet.value(
        "SELECT count(*) FROM device_health JOIN device USING (device_id) WHERE status = 'down' AND name <> %s"
        " AND ts_collected BETWEEN to_timestamp(%s) AND to_timestamp(%s)",
        fleet.routers[0],
        began,
        ended,
    )
    assert failed_others == 0
    fault.mend(fleet)
    fleet.wait_for(lambda: fault.recovered(fleet), "it is well", 60)
    verdict = fleet.verdict()
    assert verdict.ok, verdict.examples


def connections(fleet: Fleet) -> dict[str, int]:
    with fleet.control() as control:
        return {name: stats["connections"] for name, stats in control.stats().items()}


def rebooted(fleet: Fleet) -> int:
    """Return how many are polled again and known to have been started anew.

    Some are degraded for a while: a poll of a slower tier was on its way when they went down, and that tier rests.
    """
    found = fleet.value(
        "SELECT count(DISTINCT e.device_id) FROM event e JOIN device_status s USING (device_id)"
        " WHERE e.event_type = 'device.rebooted' AND s.status IN ('up', 'degraded')"
    )
    return int(found)
