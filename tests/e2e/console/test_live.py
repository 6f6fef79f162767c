"""What happens while a page is open appears on it: flaps, removals, and the end of the daemon."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.e2e.console.desk import UNREACHABLE, Desk
from tests.e2e.console.truth import CPU, read


def stay(desk: Desk) -> None:
    """Mark the document: a reload would lose the mark."""
    desk.page.evaluate("window.here = 'before'")


def stayed(desk: Desk) -> bool:
    return desk.page.evaluate("window.here") == "before"


def test_a_link_that_flaps_shows_in_state_and_events(desk: Desk) -> None:
    page = desk.open(f"#/devices/{desk.ids['flapping']}", ready="[data-testid=interface][data-state=up]")
    stay(desk)
    states = {row["id"]: row["state"] for row in read(page)["interfaces"]}
    link = next(identity for identity, state in states.items() if state == "up")
    row = page.locator(f"[data-testid=interface][data-interface='{link}']")
    losses = row.locator("[data-key='iface.link_downs_total']")
    expect(losses).to_have_attribute("data-value", re.compile(r"\d"))
    before = int(losses.get_attribute("data-value") or "")
    with desk.rig.control() as control:
        control.inject("flapping", "link-flap", interfaces=[link], for_s=4.0)
    expect(row).to_have_attribute("data-state", "down")
    told = page.locator("[data-testid=event][data-type='interface.oper.changed']")
    expect(told.filter(has_text="is down").first).to_be_visible()
    expect(row).to_have_attribute("data-state", "up")
    expect(told.filter(has_text="is up").first).to_be_visible()
    expect(losses).to_have_attribute("data-value", str(before + 1))
    assert stayed(desk)


def test_who_saw_an_event_is_told_beside_it(desk: Desk) -> None:
    page = desk.open(f"#/devices/{desk.ids['flapping']}", ready="[data-testid=interface][data-state=up]")
    stay(desk)
    told = page.locator("[data-testid=event][data-type='interface.oper.changed']")
    with desk.rig.control() as control:
        control.inject("flapping", "link-flap", interfaces=["*4"], for_s=4.0)
    down = told.filter(has_text="ether4 is down")
    expect(down.get_by_test_id("evidence")).to_have_text(["syslog", "poll"])
    expect(down.get_by_test_id("evidence").first).to_have_attribute("title", re.compile("ether4 link down"))
    expect(told.filter(has_text="ether4 is up").get_by_test_id("evidence")).to_have_text(["syslog", "poll"])
    # What was told before the poll had seen it has given way.
    expect(told.filter(has_text="ether4 link")).to_have_count(0)
    assert stayed(desk)
    page.goto(desk.rig.console_url + "#/events")
    down = page.locator("[data-testid=event]").filter(has_text="ether4 is down")
    expect(down.get_by_test_id("evidence")).to_have_text(["syslog", "poll"])


def test_events_of_all_routers_come_by_themselves(desk: Desk) -> None:
    page = desk.open("#/events", ready="[data-testid=event]")
    stay(desk)
    newest = int(page.locator("[data-testid=event]").first.get_attribute("data-position") or "")
    with desk.rig.control() as control:
        control.inject("flapping", "link-flap", interfaces=["*1"], for_s=3.0)
    first = page.locator("[data-testid=event]").first
    desk.until(lambda: int(first.get_attribute("data-position") or "0") > newest, "a newer event on top")
    expect(page.get_by_test_id("events")).to_contain_text("flapping")
    assert stayed(desk)


def test_a_router_that_is_removed_says_so(desk: Desk) -> None:
    # A second entry for a router that stays: other tests count on those that were there.
    desk.rig.add_devices([{**desk.rig.routers["new-7"], "name": "short-lived"}])
    desk.rig.wait_until_polled("short-lived")
    added = desk.rig.devices()["short-lived"]["id"]
    page = desk.open(f"#/devices/{added}", ready="[data-testid=interface]")
    desk.rig.mtd("device", "remove", "short-lived")
    expect(page.locator("body")).to_contain_text(
        re.compile("removed|not in the inventory|no longer", re.IGNORECASE)
    )
    page.goto(desk.rig.console_url + "#/devices")
    page.get_by_role("searchbox").first.fill("short-lived")
    expect(page.locator("[data-testid=device-row]")).to_have_count(0)


def test_who_goes_away_and_comes_back_at_once_has_values_again(desk: Desk) -> None:
    page = desk.open(f"#/devices/{desk.ids['new-7']}", ready="[data-testid=interface]")
    desk.until(lambda: read(page)["kpis"][CPU]["tUs"], "values")
    # Both in one go: the view that the daemon is told is that of before.
    page.evaluate(
        "const here = location.hash; location.hash = '#/devices'; "
        "setTimeout(() => (location.hash = here), 60)"
    )
    page.wait_for_timeout(500)
    desk.until(lambda: (read(page)["kpis"].get(CPU) or {}).get("tUs"), "values again", 10)
    looks = [view["look"] for view in desk.record.sent]
    assert looks == sorted(looks)
    assert len(set(looks)) > 1


def test_the_page_goes_stale_without_the_daemon_and_returns(desk: Desk) -> None:
    page = desk.open(f"#/devices/{desk.ids['new-7']}", ready="[data-testid=interface]")
    desk.until(lambda: read(page)["kpis"][CPU]["tUs"], "values")
    stay(desk)
    tile = page.locator(f"[data-testid=kpi][data-key='{CPU}']")
    assert desk.rig.daemon is not None
    desk.rig.daemon.stop()
    try:
        banner = page.get_by_test_id("banner")
        expect(banner).to_be_visible()
        expect(tile).to_have_attribute("data-stale", "true")
        expect(page.get_by_test_id("last-update").first).to_have_attribute("data-stale", "true")
        last_us = read(page)["kpis"][CPU]["tUs"]
        page.set_viewport_size({"width": 320, "height": 700})
        wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], "a narrow phone scrolls sideways"
    finally:
        desk.rig.start_daemon()
    expect(banner).to_be_hidden()
    desk.until(lambda: (read(page)["kpis"][CPU]["tUs"] or 0) > last_us, "newer values than before")
    expect(tile).to_have_attribute("data-stale", "false")
    assert stayed(desk)
    assert desk.record.forgive(*UNREACHABLE), "it never tried to come back?"
    first: Desk = desk.rig.notes["first"]
    first.until(lambda: first.record.messages[-1]["type"] != "bye", "the other page is back as well")
    first.record.forgive(*UNREACHABLE)
