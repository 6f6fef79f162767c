"""The page of mtd's health tells of collectors: one that is offline, and that its routers are unknown, not down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from mtd.testing.edges.edge import Edge
from tests.e2e.console.desk import BrowserThread, Desk, desk_of
from tests.e2e.edge_kit import Hub, hub_with_edges
from tests.e2e.kit import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SCENARIO = """
[[router]]
name = "one"
interfaces = 2

[[router]]
name = "two"
interfaces = 2
"""


@dataclass
class Far:
    """A hub that polls nothing, the collector that does, and a page of the hub's console."""

    hub: Hub
    edge: Edge
    desk: Desk


@pytest.fixture
def far(browser: BrowserThread) -> Iterator[Far]:
    # Soon is enough here: a test needn't wait as long as an operator has to.
    soon = {"coordination": {"lease_s": 3.0, "renew_s": 0.5, "margin_s": 0.5}}
    with hub_with_edges(SCENARIO, "pop-north", hub_settings=soon) as (hub, (edge,)):
        edge.start()
        hub.add_routers()
        wait_for(lambda: len(hub.collected()) == 2, "both have live values at the hub", 40)
        with desk_of(browser, hub, ignore_https_errors=True) as desk:
            yield Far(hub, edge, desk)


def test_a_collector_that_is_offline_is_told_from_routers_that_are_down(far: Far) -> None:
    page = far.desk.open("#/mtd")
    row = page.locator("[data-testid=collectors] tr[data-name=pop-north]")
    expect(row).to_have_attribute("data-state", "online")
    expect(row).to_contain_text("Online")
    expect(row.locator("td").nth(3)).to_have_text("2")
    expect(row.locator("td").nth(7)).not_to_be_empty()
    far.edge.kill()
    expect(row).to_have_attribute("data-state", "offline")
    expect(row).to_contain_text("Offline")
    # Nobody looks at its routers: that says nothing of them.
    page = far.desk.open("#/devices")
    expect(page.locator("[data-testid=count][data-status=unknown]")).to_have_attribute("data-value", "2")
    expect(page.locator("[data-testid=count][data-status=down]")).to_have_attribute("data-value", "0")
    expect(page.get_by_role("row", name="one")).to_contain_text("pop-north")
    far.edge.start()
    page = far.desk.open("#/mtd")
    expect(row).to_have_attribute("data-state", "online")
