"""The page of log lines: what routers wrote, as it comes, narrowed down by severity, type and letters."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from tests.e2e.console.conftest import OFTEN
from tests.e2e.console.desk import Desk


def lines(desk: Desk) -> Locator:
    return desk.page.locator("[data-testid=event]")


def test_lines_come_by_themselves_and_say_what_happened(desk: Desk) -> None:
    page = desk.open("#/logs?event=interface.*", ready="#logs-title")
    with desk.rig.control() as control:
        control.inject(OFTEN, "link-flap", interfaces=["*2"], for_s=0.5)
    down = lines(desk).filter(has_text="ether2 link down").first
    expect(down).to_be_visible()
    expect(down).to_contain_text(OFTEN)
    expect(down).to_have_attribute("data-type", "interface.oper.changed")
    expect(lines(desk).filter(has_text="ether2 link up").first).to_be_visible()
    expect(lines(desk).filter(has_text="logged in")).to_have_count(0)
    # Letters are looked for by the daemon; the address keeps them.
    page.get_by_label("Search in lines").fill("logged in")
    page.goto(desk.rig.console_url + "#/logs?q=logged%20in")
    expect(lines(desk).filter(has_text="logged in via api").or_(lines(desk)).first).to_contain_text(
        "logged in"
    )
    page.goto(desk.rig.console_url + "#/logs?q=nobody%20writes%20this")
    expect(page.get_by_text("No line of the last day fits.")).to_be_visible()


def test_a_page_that_holds_still_takes_nothing_new(desk: Desk) -> None:
    page = desk.open("#/logs?event=interface.*", ready="#logs-title")
    page.get_by_test_id("pause").click()
    before = lines(desk).count()
    with desk.rig.control() as control:
        control.inject(OFTEN, "link-flap", interfaces=["*3"], for_s=0.5)
    page.wait_for_timeout(5000)
    assert lines(desk).count() == before
    page.get_by_test_id("pause").click()
    expect(lines(desk).filter(has_text="ether3 link down").first).to_be_visible()
