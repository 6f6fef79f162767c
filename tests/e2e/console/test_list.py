"""The list of routers: what stands in it, and how it is searched, sorted and filtered."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect

from tests.e2e.console.conftest import HEALTHY, SPARES
from tests.e2e.console.desk import Desk
from tests.e2e.kit import Rig


def row_of(desk: Desk, name: str) -> Locator:
    return desk.page.locator(f"[data-testid=device-row][data-name='{name}']")


def names_shown(desk: Desk) -> list[str]:
    return desk.page.eval_on_selector_all(
        "[data-testid=device-row]", "rows => rows.map((row) => row.dataset.name)"
    )


def search(desk: Desk, words: str) -> None:
    desk.page.get_by_role("searchbox").first.fill(words)


def test_each_router_has_its_status_version_and_board(desk: Desk) -> None:
    desk.open()
    for name in desk.rig.routers:
        search(desk, name)
        row = row_of(desk, name)
        # Some have only begun to be in trouble: the list and the inventory hear of it one after the other.
        desk.until(
            lambda row=row, name=name: row.get_attribute("data-status") == desk.rig.devices()[name]["status"],
            f"the status of {name} as in the inventory",
        )
        device = desk.rig.devices()[name]
        version, _, _channel = device["routeros_version"].partition(" ")
        expect(row).to_contain_text(version or "–")
        expect(row).to_contain_text(device["board_name"] or "–")
    inventory = desk.rig.devices()
    assert {inventory[name]["status"] for name in HEALTHY} == {"up"}


def test_what_is_wrong_is_said_in_words(desk: Desk) -> None:
    desk.open()
    expected = {
        "locked": ("down", "Down", "check user and password"),
        "silent": ("down", "Down", "nothing answered"),
        "half-blind": ("degraded", "Degraded", "give its group the right"),
    }
    for name, (status, word, reason) in expected.items():
        search(desk, name)
        row = row_of(desk, name)
        expect(row).to_have_attribute("data-status", status)
        expect(row).to_contain_text(word)
        expect(row).to_contain_text(reason)


def test_trouble_comes_first(desk: Desk) -> None:
    desk.open()
    desk.page.wait_for_selector("[data-testid=device-row]")
    names = names_shown(desk)
    assert set(names[:3]) == {"locked", "silent", "half-blind"}
    assert names[2] == "half-blind", "Down stands before Degraded"


def test_search_needs_no_mouse(desk: Desk) -> None:
    page = desk.open()
    page.wait_for_selector("[data-testid=device-row]")
    page.keyboard.press("/")
    page.keyboard.type("new-7")
    desk.until(lambda: names_shown(desk) == ["new-7"], "only what was looked for")
    page.get_by_role("searchbox").first.fill("no such router")
    desk.until(lambda: names_shown(desk) == [], "nothing is found")
    expect(page.get_by_test_id("no-match")).to_be_visible()


def test_a_router_opens_by_the_keyboard(desk: Desk) -> None:
    page = desk.open()
    search(desk, "old-6")
    desk.until(lambda: names_shown(desk) == ["old-6"], "found")
    page.get_by_test_id("device-list").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="old-6")).to_be_visible()
    page.go_back()
    desk.until(lambda: names_shown(desk) == ["old-6"], "the list as it was left")


def test_a_column_sorts_both_ways(desk: Desk) -> None:
    page = desk.open()
    head = page.get_by_role("columnheader", name=re.compile("^Router(?!OS)"))
    button = head.get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "ascending")
    desk.until(
        lambda: (names := names_shown(desk)) and names[0] == "doomed" and names == sorted(names), "A to Z"
    )
    page.keyboard.press("Enter")
    expect(head).to_have_attribute("aria-sort", "descending")
    desk.until(lambda: names_shown(desk)[0] == f"spare-{SPARES - 1:04}", "Z to A")


def test_a_status_filters(desk: Desk) -> None:
    page = desk.open()
    page.wait_for_selector("[data-testid=device-row]")
    down = page.locator("[data-testid=count][data-status=down]")
    down.focus()
    page.keyboard.press("Enter")
    desk.until(lambda: sorted(names_shown(desk)) == ["locked", "silent"], "those that are down")
    expect(down).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    desk.until(lambda: len(names_shown(desk)) > 10, "all of them again")


def test_an_empty_inventory_says_what_to_do(running: Rig) -> None:
    assert "mtd device add" in running.notes["empty"]
    assert "No routers yet" in running.notes["empty"]


def test_what_is_added_appears_by_itself(running: Rig) -> None:
    first: Desk = running.notes["first"]
    row = row_of(first, "new-7")
    search(first, "new-7")
    expect(row).to_have_attribute("data-status", "up")
    expect(row.locator("[data-key=cpu_pct]")).to_have_attribute("data-value", re.compile(r"\d"))
