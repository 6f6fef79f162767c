"""The pages of flows and of drops, on a router that told of flows: what they show is what was sent."""

from __future__ import annotations

import ipaddress
import re

from playwright.sync_api import Locator, expect

from tests.e2e.console.conftest import EXPORTER, FLOWS, Exported, send_flows
from tests.e2e.console.desk import Desk

UNKNOWN = "127.0.9.9"
FIRST = "sfp-sfpplus1"
"""What the lab's routers call their first interface."""


def exported(desk: Desk) -> Exported:
    found: Exported = desk.rig.notes["flows"]
    return found


def range_of(desk: Desk) -> str:
    return f"until={exported(desk).at_us + 1_800_000_000}"


def of(row: Locator, name: str) -> int:
    return int(row.get_attribute(f"data-{name}") or "")


def test_the_largest_and_everything_are_what_was_sent(desk: Desk) -> None:
    truth = exported(desk).truth
    page = desk.open(f"#/flows?{range_of(desk)}", ready="[data-testid=flow-row]")
    total = page.get_by_test_id("flow-total")
    assert (of(total, "octets"), of(total, "flows")) == (truth.estimated.octets, FLOWS)
    sums = truth.by("src_address")
    best = sorted(sums, key=lambda key: -sums[key].octets)[:20]
    rows = page.get_by_test_id("flow-row")
    assert {row.get_attribute("data-key"): of(row, "octets") for row in rows.all()} == {
        key: sums[key].octets for key in best
    }
    rest = of(page.get_by_test_id("flow-rest"), "octets")
    assert sum(of(row, "octets") for row in rows.all()) + rest == truth.estimated.octets
    chart = page.get_by_test_id("stack-chart")
    expect(chart).to_have_attribute("data-series", "9")  # eight, and all others
    painted = """
      (chart) => {
        const canvas = chart.querySelector("canvas");
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        return pixels.some((value) => value > 0);
      }
    """
    desk.until(lambda: chart.evaluate(painted), "the chart is drawn")
    # What is chosen stands in the address, and is asked for.
    page.get_by_test_id("dimension").select_option("protocol")
    expect(page).to_have_url(re.compile("dimension=protocol"))
    protocols = truth.by("protocol")
    expect(rows).to_have_count(len(protocols))
    assert {row.get_attribute("data-key"): of(row, "flows") for row in rows.all()} == {
        key: one.flows for key, one in protocols.items()
    }
    expect(rows.filter(has_text="TCP (6)")).to_have_count(1)


def test_routers_are_chosen_by_keyboard(desk: Desk) -> None:
    page = desk.open(f"#/flows?dimension=in_interface&{range_of(desk)}", ready="[data-testid=flow-row]")
    expect(page.get_by_text("choose one router to see names")).to_be_visible()
    page.locator(".picker summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("new-")
    row = page.locator(f".picker input[data-device='{desk.ids['new-7']}']")
    row.focus()
    page.keyboard.press("Space")
    expect(page).to_have_url(re.compile(desk.ids["new-7"]))
    expect(page.get_by_test_id("flow-row").filter(has_text=f"{FIRST} (1)")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator(".picker")).not_to_have_attribute("open", "")
    expect(page.locator(".picker summary")).to_be_focused()
    # Another router told of no flows: the page says how it would.
    page.goto(f"{desk.rig.console_url}#/flows?devices={desk.ids['old-6']}&{range_of(desk)}")
    expect(page.get_by_test_id("flow-enabling")).to_contain_text("/ip traffic-flow target add")


def test_a_year_is_typed_digit_by_digit(desk: Desk) -> None:
    page = desk.open("#/flows", ready="[data-testid=until]")
    until = page.get_by_test_id("until")
    until.fill("2026-11-25T14:03")
    expect(page).to_have_url(re.compile("until="))
    until.focus()
    page.keyboard.press("Tab")  # month, day, year
    page.keyboard.press("Tab")
    page.keyboard.type("2024", delay=100)
    expect(until).to_have_value("2024-11-25T14:03")
    us = page.evaluate("() => new Date('2024-11-25T14:03').getTime() * 1000")
    expect(page).to_have_url(re.compile(f"until={us}"))
    page.get_by_role("button", name="Until now").click()
    expect(until).to_have_value("")


def test_paths_are_drawn_and_listed(desk: Desk) -> None:
    truth = exported(desk).truth
    page = desk.open(f"#/flows?view=paths&{range_of(desk)}", ready="[data-testid=sankey]")
    paths = page.get_by_test_id("path")
    expect(paths).to_have_count(25)
    sums = truth.by("conversation")
    best = max(sums, key=lambda key: sums[key].octets)
    assert [paths.first.locator("td").nth(place).inner_text() for place in (0, 1)] == best.split(" > ")
    drawn = int(page.get_by_test_id("sankey").get_attribute("data-nodes") or "")
    assert drawn > 4
    page.get_by_test_id("kind").select_option("service")
    expect(page.get_by_role("columnheader", name="Protocol and port")).to_be_visible()
    expect(paths.filter(has_text=re.compile(r"(TCP|UDP) \d+")).first).to_be_visible()
    page.get_by_test_id("kind").select_option("interfaces")
    expect(page.get_by_text("Interfaces are those of one router")).to_be_visible()
    page.goto(f"{page.url}&devices={desk.ids['new-7']}")
    expect(paths.filter(has_text=FIRST).first).to_be_visible()


def test_who_had_an_address_is_found_before_and_after_its_translation(desk: Desk) -> None:
    flow = translated(exported(desk))
    page = desk.open("#/flows?view=search", ready="[data-testid=flow-form]")
    expect(page.get_by_test_id("flow-empty")).to_contain_text("Say an address")
    page.get_by_role("textbox", name="Address").fill(flow["public"])
    page.get_by_role("spinbutton", name="Port").fill(str(flow["public_port"]))
    page.get_by_label("At", exact=True).fill(page.evaluate(LOCAL, flow["end_ms"]))
    page.get_by_test_id("find").click()
    record = page.get_by_test_id("flow-record").first
    expect(record.locator("[data-key=source]")).to_contain_text(f"{flow['inside']}:{flow['port']}")
    expect(record.locator("[data-key=source]")).to_contain_text(f"→ {flow['public']}:{flow['public_port']}")
    record.locator("summary").click()
    expect(record.locator("dl")).to_contain_text("tcp_flags")
    page.get_by_role("spinbutton", name="Port").fill("1")
    page.get_by_test_id("find").click()
    expect(page.get_by_test_id("flow-empty")).to_have_text("No flow of that time fits.")
    page.get_by_role("textbox", name="Address").fill("nobody")
    page.get_by_test_id("find").click()
    expect(page.get_by_role("alert")).to_contain_text("is no address")
    desk.record.complaints.clear()  # the browser tells of the refusal, too


# As a field of a form has it, in the browser's time zone.
LOCAL = """
(ms) => {
  const at = new Date(ms - new Date(ms).getTimezoneOffset() * 60000);
  return at.toISOString().slice(0, 19);
}
"""


def translated(found: Exported) -> dict[str, str | int]:
    """Return a flow whose source was translated: what it was, and what it became."""
    for records in found.made.records:
        if records.version != 4:
            continue
        told = records.columns
        for place in range(len(records)):
            inside, public = (text(told[name][place]) for name in ("src_address", "post_nat_src_address"))
            if inside != public and int(told["protocol"][place]) == 6:
                return {
                    "inside": inside,
                    "port": int(told["src_port"][place]),
                    "public": public,
                    "public_port": int(told["post_nat_src_port"][place]),
                    "end_ms": int(told["end_ms"][place]),
                }
    raise AssertionError("none of the flows was translated")


def text(address: object) -> str:
    wide = ipaddress.IPv6Address(bytes(address))  # type: ignore[call-overload]
    return str(wide.ipv4_mapped or wide)


def test_flows_stand_beside_the_counters(desk: Desk) -> None:
    page = desk.open(f"#/flows?view=interfaces&{range_of(desk)}", ready="[data-testid=flow-interface]")
    row = page.locator("[data-testid=flow-interface][data-index='1']")
    expect(row).to_contain_text("new-7")
    expect(row).to_contain_text(FIRST)


def test_drops_tell_of_listeners_exporters_and_unknown_senders(desk: Desk) -> None:
    page = desk.open("#/drops", ready="[data-testid=exporter]")
    row = page.locator(f"[data-testid=exporter][data-address='{EXPORTER}']")
    cell = row.locator("[data-key=malformed]")
    before = of(cell, "value")
    assert of(row.locator("[data-key=stored]"), "value") >= FLOWS
    assert of(row.locator("[data-key=sampling_assumed]"), "value") >= FLOWS
    expect(row.locator("[data-key=device]")).to_have_text("new-7")
    send_flows(desk.rig, EXPORTER, b"no flows at all")
    send_flows(desk.rig, UNKNOWN, *exported(desk).made.datagrams[:3])
    expect(cell).to_have_attribute("data-value", str(before + 1))
    expect(cell).to_have_attribute("title", re.compile(": 1"))
    loss = page.locator("[data-testid=losses][data-listener=flows] [data-testid=loss][data-name=malformed]")
    expect(loss).to_contain_text("Look")
    stranger = page.locator(f"[data-testid=unknown-sender][data-address='{UNKNOWN}']")
    expect(stranger).to_contain_text("flows")
    expect(stranger).to_contain_text("3")
    expect(page.get_by_text("mtd discovery adopt ID")).to_be_visible()
    lines = page.locator("[data-testid=losses][data-listener=syslog] [data-testid=loss][data-name=stored]")
    assert of(lines, "value") > 0
