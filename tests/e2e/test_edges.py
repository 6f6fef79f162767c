"""A collector at the edge: polls without a database, and its hub has all of it, once."""

from __future__ import annotations

from tests.e2e.edge_kit import hub_with_edges
from tests.e2e.kit import wait_for

SCENARIO = """
[[router]]
name = "one"
interfaces = 4

[[router]]
name = "two"
interfaces = 4
"""


def test_a_collector_polls_for_its_hub() -> None:
    with hub_with_edges(SCENARIO, "edge-1") as (hub, (edge,)):
        routers = hub.add_routers()
        edge.poll(list(routers.values()))
        edge.start(from_file=True)
        wait_for(lambda: len(hub.collected()) == 2, "both routers have live values at the hub", 20)
