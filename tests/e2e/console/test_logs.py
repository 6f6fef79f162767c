"""The page of log lines: what routers wrote, as it comes, narrowed down by severity, type and letters."""

from __future__ import annotations

import re

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
    search = page.get_by_label("Search in lines")
    page.goto(desk.rig.console_url + "#/logs")
    search.press_sequentially("logged in", delay=250)  # slower than the page draws
    expect(search).to_have_value("logged in")
    expect(page).to_have_url(re.compile(r"q=logged"))
    expect(lines(desk).first).to_contain_text("logged in")
    expect(lines(desk).filter(has_text="link down")).to_have_count(0)
    search.fill("nobody writes this")
    expect(page.get_by_text("No line of the last day fits.")).to_be_visible()


def test_a_page_that_holds_still_takes_nothing_new(desk: Desk) -> None:
    page = desk.open("#/logs?event=interface.*", ready="#logs-title")
    page.get_by_test_id("pause").click()
    expect(page.get_by_test_id("pause")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(500)
    before = lines(desk).count()
    with desk.rig.control() as control:
        control.inject(OFTEN, "link-flap", interfaces=["*3"], for_s=0.5)
    page.wait_for_timeout(5000)
    assert lines(desk).count() == before
    page.get_by_test_id("pause").click()
    expect(lines(desk).filter(has_text="ether3 link down").first).to_be_visible()
