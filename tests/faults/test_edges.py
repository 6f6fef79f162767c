"""Between a collector at the edge and its hub: the line is cut, bad or forgetful, names are gone, an end is killed.

Runbooks: `agent-offline`, `ingest-backlog`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mtd.testing.faults.catalogue.edges import BadLineToHub, Cut, HubForgotten, KillInBackfill
from mtd.testing.faults.edge_fleet import QUICK_FORWARD, EdgeFleet, hub_and_edge
from mtd.testing.faults.fault import Fault, Figures, strike
from mtd.testing.faults.fleet import Fleet
from mtd.testing.faults.kills import kill_in_a_row
from mtd.testing.faults.network import may_network
from tests.e2e.edge_kit import Watchman

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        not may_network(), reason="only root can make the networks and lines that are bad here"
    ),
]

ROUTERS, INTERFACES = 5, 3


@pytest.fixture(scope="module")
def site() -> Iterator[EdgeFleet]:
    with hub_and_edge(ROUTERS, INTERFACES) as site:
        yield site


def struck(site: EdgeFleet, fault: Fault, held_s: float = 0.0) -> Figures:
    """Strike: nothing is lost or doubled, and no newest value becomes older at any moment."""
    with Watchman(site) as watchman:
        figures = strike(site, fault, held_s=held_s)
    assert figures.acknowledged > ROUTERS
    assert (figures.lost, figures.doubled) == (0, 0), figures.examples
    assert watchman.looks > 10
    assert watchman.moved_back == []
    assert site.edge.metric("mtd_forwarding_events_lost_total") == 0
    return figures


class SeenFromTheHub(Cut):
    """Before the line is mended somebody looks, with the commands of the runbook."""

    seen: tuple[str, set[str]] = ("", set())

    def mend(self, fleet: Fleet) -> bool:
        self.seen = (self.site.collector_state(), self.site.device_states())
        return super().mend(fleet)


def test_a_line_that_is_cut_and_what_the_runbook_says(site: EdgeFleet) -> None:
    """Both ends tell it; who watches sees what the runbook names; the newest values are there before what was missed."""
    fault = SeenFromTheHub(site)
    figures = struck(site, fault, held_s=8)
    assert fault.seen == ("offline", {"unknown"}), "nobody watches: that isn't down"
    assert fault.first is not None
    assert fault.first < fault.polls(site), "what is new comes before what was missed"
    assert figures.restarts == 0
    site.wait_for(lambda: site.event("collector.hub.lost"), "the collector's own word came with the rest")
    site.wait_for(lambda: site.event("collector.hub.back"), "so did that it is back")


@pytest.mark.long
@pytest.mark.parametrize("of_hub", [False, True], ids=["collector", "hub"])
def test_an_end_that_is_killed_during_backfill(site: EdgeFleet, of_hub: bool) -> None:
    struck(site, KillInBackfill(site, of_hub))


@pytest.mark.long
def test_connections_that_are_forgotten_on_the_way(site: EdgeFleet) -> None:
    struck(site, HubForgotten(site))


@pytest.mark.long
def test_a_hub_whose_name_nobody_tells(site: EdgeFleet) -> None:
    struck(site, HubForgotten(site, no_names=True), held_s=5)


@pytest.mark.long
@pytest.mark.parametrize("line", [{"loss": 0.3}, {"round_trip_s": 0.8}], ids=["loss", "latency"])
def test_a_line_that_is_bad(site: EdgeFleet, line: dict[str, float]) -> None:
    struck(site, BadLineToHub(site, **line), held_s=6)


@pytest.mark.long
def test_kills_in_a_row_of_all_processes_of_both_ends() -> None:
    with hub_and_edge(ROUTERS, INTERFACES, forward=QUICK_FORWARD) as site:
        row = kill_in_a_row(site, 12, lambda _: None)
    assert sum(row.kills.values()) == 12
    assert {"daemon", "collector"} <= row.kills.keys()
    assert row.acknowledged > 12 * ROUTERS
    assert (row.lost, row.doubled) == (0, 0), row.examples
    assert row.log_ok
