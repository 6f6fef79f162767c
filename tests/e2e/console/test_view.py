"""A thousand routers: only those in view are drawn and asked for, and the list scrolls smoothly."""

from __future__ import annotations

from tests.e2e.console.conftest import SPARES
from tests.e2e.console.desk import Desk

# Drawn are those in view and a margin on either side.
MOST_ROWS = 60
# A hitch that one sees. A list that is slow to draw has one at every step; a machine that does other work, now and then.
HITCH_MS = 200
STEPS = 60

SCROLL = """
async (steps) => {
  const list = document.querySelector("[data-testid=device-list]");
  const long = [];
  const observer = new PerformanceObserver((found) => long.push(...found.getEntries().map((e) => e.duration)));
  observer.observe({ entryTypes: ["longtask"] });
  const drawn = [];
  for (let step = 1; step <= steps; step += 1) {
    list.scrollTop = (step / steps) * (list.scrollHeight - list.clientHeight);
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    drawn.push(document.querySelectorAll("[data-testid=device-row]").length);
  }
  long.push(...observer.takeRecords().map((entry) => entry.duration));
  observer.disconnect();
  return { long, most: Math.max(...drawn), least: Math.min(...drawn) };
}
"""


def asked_for(desk: Desk) -> set[str]:
    views = [message for message in desk.record.sent if message["op"] == "view"]
    return set(views[-1]["devices"]) if views else set()


def last_row(desk: Desk) -> str:
    return desk.page.eval_on_selector_all(
        "[data-testid=device-row]", "rows => rows.at(-1)?.dataset.name ?? ''"
    )


def test_only_what_is_in_view_is_drawn_and_asked_for(desk: Desk) -> None:
    page = desk.open("#/devices?sort=name", ready="[data-testid=device-row]")
    desk.until(lambda: asked_for(desk), "the first view")
    before = asked_for(desk)
    assert len(before) <= MOST_ROWS
    found = page.evaluate(SCROLL, 10)
    assert found["least"] > 0
    assert found["most"] <= MOST_ROWS
    desk.until(lambda: asked_for(desk) and not asked_for(desk) & before, "other devices are asked for")
    assert len(asked_for(desk)) <= MOST_ROWS
    assert last_row(desk) == f"spare-{SPARES - 1:04}"


def test_a_thousand_routers_scroll_smoothly(desk: Desk) -> None:
    page = desk.open(ready="[data-testid=device-row]")
    assert page.evaluate(SCROLL, 5)["most"] > 0  # what is compiled at first use is compiled
    found = page.evaluate(SCROLL, STEPS)
    hitches = [round(duration) for duration in found["long"] if duration > HITCH_MS]
    assert len(hitches) < STEPS / 10, f"the page stood still for {hitches} ms"


def test_narrow_and_low_screens_hold_the_list(desk: Desk) -> None:
    page = desk.open(ready="[data-testid=device-row]")
    for width, height in ((320, 640), (1280, 360), (640, 320)):
        page.set_viewport_size({"width": width, "height": height})
        wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], f"{width} x {height} scrolls sideways"
        assert page.evaluate("document.querySelector('[data-testid=device-list]').clientHeight") >= 230
    page.set_viewport_size({"width": 1280, "height": 900})
    sizes = page.evaluate("[document.documentElement.scrollHeight, innerHeight]")
    assert sizes[0] <= sizes[1], "on a high screen the list alone scrolls"
