"""What holds for every page: policy, names for all controls, light and dark, small screens."""

from __future__ import annotations

import re
import urllib.request
from html.parser import HTMLParser
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from tests.e2e.console.conftest import EXPORTER, send_flows
from tests.e2e.console.desk import Desk

PAGES = {
    "list": ("#/devices", "[data-testid=device-row]"),
    "device": ("#/devices/{id}", "[data-testid=interface]"),
    "events": ("#/events", "[data-testid=event]"),
    "logs": ("#/logs", "[data-testid=event]"),
    "flows": ("#/flows?until={soon}", "[data-testid=flow-row]"),
    "flow paths": ("#/flows?view=paths&kind=service&until={soon}", "[data-testid=sankey]"),
    "flow search": (
        "#/flows?view=search&port=443&at={at}&window=3600&protocol=17",
        "[data-testid=flow-record]",
    ),
    "flow interfaces": ("#/flows?view=interfaces&until={soon}", "[data-testid=flow-interface]"),
    "drops": ("#/drops", "[data-testid=exporter]"),
    "mtd": ("#/mtd", "[data-testid=figure]"),
}
PHONE = {"viewport": {"width": 360, "height": 780}, "has_touch": True, "is_mobile": True}


def go(desk: Desk, name: str) -> Page:
    path, ready = PAGES[name]
    at_us = desk.rig.notes["flows"].at_us
    if name == "drops":  # counted since the daemon started, which a test before may have done anew
        send_flows(desk.rig, EXPORTER, b"no flows at all")
    return desk.open(path.format(id=desk.ids["new-7"], at=at_us, soon=at_us + 1_800_000_000), ready=ready)


class Inline(HTMLParser):
    """Collects what a strict policy forbids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        handlers = [name for name in given if name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given) or "style" in given or handlers:
            self.found.append(self.get_starttag_text() or tag)


def test_the_policy_is_strict_and_nothing_is_inline(desk: Desk) -> None:
    with urllib.request.urlopen(desk.rig.console_url, timeout=10) as answer:
        policy, text = answer.headers["content-security-policy"], answer.read().decode()
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";") if rule.strip())
    assert rules["default-src"] in ("'none'", "'self'")
    assert "unsafe" not in policy
    assert not re.search(r"\*|https?:", policy)
    assert rules["frame-ancestors"] == "'none'"
    assert rules["base-uri"] == "'none'"
    assert not Inline(text).found


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    "look", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True, ids=str
)
def test_nobody_is_shut_out(desk: Desk, name: str) -> None:
    page = go(desk, name)
    page.evaluate(AXE_SCRIPT)
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
    found: dict[str, Any] = page.evaluate("(rules) => axe.run(document, rules)", rules)
    told = [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in found["violations"]
    ]
    assert not told, "\n".join(told)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("look", [PHONE], indirect=True, ids=["phone"])
def test_a_phone_needs_no_sideways_scrolling(desk: Desk, name: str) -> None:
    page = go(desk, name)
    wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert wide[0] <= wide[1]


@pytest.mark.parametrize("look", [{"color_scheme": "dark"}], indirect=True, ids=["dark"])
def test_the_theme_follows_the_system_until_it_is_chosen(desk: Desk) -> None:
    page = go(desk, "list")
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    assert max(page.evaluate(brightness)) < 80
    page.emulate_media(color_scheme="light")
    assert min(page.evaluate(brightness)) > 200
    button = page.get_by_role("button", name=re.compile("theme|light|dark", re.IGNORECASE))
    for _ in range(2):
        button.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert max(page.evaluate(brightness)) < 80


@pytest.mark.parametrize("name", PAGES)
def test_every_control_is_reached_by_tab_and_has_a_name(desk: Desk, name: str) -> None:
    page = go(desk, name)
    page.evaluate("document.activeElement?.blur()")
    wanted = page.evaluate(CONTROLS)
    reached: set[str] = set()
    for _ in range(len(wanted) + 20):
        page.keyboard.press("Tab")
        told = page.evaluate(FOCUSED)
        if told is None:
            break
        assert told["name"], f"no name: {told['html']}"
        reached.add(told["id"])
    assert set(wanted) <= reached


# The list of routers is gone through by arrow keys: its rows come and go while one does.
CONTROLS = """
() => {
  const shown = (one) => one.checkVisibility() && one.tabIndex >= 0 && !one.disabled;
  return [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")].filter(shown)
    .filter((one) => !one.closest("[data-testid=device-row]"))
    .map((one, index) => (one.__tab = `${index}`));
}
"""
FOCUSED = """
() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const labelled = (one.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent);
  const name = [one.getAttribute("aria-label"), ...labelled, one.labels?.[0]?.textContent, one.textContent, one.title];
  return { id: one.__tab ?? "", name: name.map((text) => (text ?? "").trim()).find(Boolean) ?? "", html: one.outerHTML.slice(0, 200) };
}
"""
