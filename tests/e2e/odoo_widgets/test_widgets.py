"""The addon's widgets in a browser, without Odoo: what moves, what is said when nothing does, what is left behind."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.odoo_widgets.conftest import Stage

NARROW = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
TILE = "[data-testid=kpi][data-key=rx_bps]"
CHANNEL = "mikrotik_monitoring.device.1"


def test_values_move_as_messages_come(stage: Stage) -> None:
    stage.show("mikrotik_live")
    expect(stage.page.locator(TILE)).not_to_have_attribute("data-value", "1")
    seen = set()
    for second in range(30):
        stage.tell(rx=1_000_000 + second)
        stage.pass_s(1)
        expect(stage.page.locator(TILE)).to_have_attribute("data-value", str(1_000_000 + second))
        seen.add(stage.page.locator("td[data-key='iface.rx_bps']").first.get_attribute("data-value"))
    assert len(seen) == 30
    expect(stage.at("live")).to_have_attribute("data-phase", "live")
    expect(stage.page.locator("[data-key='iface.rx_bytes_total']").first).to_have_attribute(
        "data-value", "9007199254740993"
    )
    assert int(stage.at("traffic").get_attribute("data-points") or 0) >= 29
    drawn = stage.page.evaluate(
        "() => { const c = document.querySelector('canvas');"
        " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v > 0); }"
    )
    assert drawn
    # One reading for the lines of the table, one for the chart, however many messages came.
    assert len(stage.asked("live_history")) == 2
    assert len(stage.asked("live_watch")) >= 2


def test_silence_is_told_and_ends_without_a_reload(stage: Stage) -> None:
    stage.show("mikrotik_live")
    stage.tell()
    stage.pass_s(1)
    expect(stage.page.locator("[data-testid=kpi][data-stale=true]")).to_have_count(0)
    stage.pass_s(7)
    expect(stage.at("banner")).to_contain_text("The bridge sends nothing at the moment. Values are as of ")
    expect(stage.page.locator(TILE)).to_have_attribute("data-stale", "true")
    expect(stage.at("last-update")).to_have_attribute("data-stale", "true")
    expect(stage.at("last-update")).to_contain_text(re.compile(r"\d s ago"))
    stage.tell()
    stage.pass_s(1)
    expect(stage.at("banner")).to_have_count(0)
    expect(stage.page.locator(TILE)).to_have_attribute("data-stale", "false")


def test_a_router_that_is_silent_is_no_lost_bridge(stage: Stage) -> None:
    stage.show("mikrotik_live")
    stage.tell()
    at = stage.page.evaluate("Date.now() * 1000")
    for _ in range(10):
        stage.pass_s(1)
        stage.tell(tUs=at, status="down", reason="connection refused")
    stage.pass_s(1)
    expect(stage.at("live")).to_have_attribute("data-phase", "live")
    expect(stage.at("banner")).to_have_count(0)
    expect(stage.page.locator(TILE)).to_have_attribute("data-stale", "true")
    expect(stage.at("status-reason")).to_contain_text("Connection refused")


def test_a_bridge_without_mtd_is_told(stage: Stage) -> None:
    stage.show("mikrotik_live")
    stage.tell(connected=False)
    stage.pass_s(1)
    expect(stage.at("banner")).to_contain_text("The bridge can't reach mtd")
    expect(stage.at("interface")).to_have_count(2)


def test_a_bridge_that_never_reached_mtd_says_nothing_of_the_router(stage: Stage) -> None:
    stage.show("mikrotik_live")
    stage.tell(connected=False, groups=[], interfaces=[], summary=None, status="unknown")
    stage.pass_s(1)
    expect(stage.at("banner")).to_contain_text("The bridge can't reach mtd")
    expect(stage.at("interfaces")).to_contain_text("Waiting for values…")
    expect(stage.at("traffic-note")).to_contain_text("Reading which ports the router has")


def test_interfaces_are_found_and_chosen(stage: Stage) -> None:
    stage.show("mikrotik_live")
    stage.tell()
    stage.pass_s(1)
    expect(stage.at("interface")).to_have_count(2)
    stage.page.get_by_role("button", name="ether1").click()
    expect(stage.at("chart-interface")).to_have_value("*1")
    stage.show("mikrotik_interfaces")
    stage.tell()
    stage.pass_s(1)
    stage.page.get_by_role("searchbox").fill("provider")
    expect(stage.at("interface")).to_have_count(1)


def test_lines_of_the_log_are_for_who_may_see_them(stage: Stage) -> None:
    stage.show("mikrotik_live")
    stage.tell(lines=[{"t_us": 1, "severity": 3, "topics": ["system"], "text": "<img src=x> login failure"}])
    stage.pass_s(1)
    expect(stage.at("log")).to_contain_text("system <img src=x> login failure")
    assert stage.page.locator("img").count() == 0
    stage.page.evaluate(
        "void (stage.orm.answers.live_watch = {channel: 'c', kind: 'plain', bridge_seen_s: 1})"
    )
    stage.show("mikrotik_interfaces", resId=2)
    stage.show("mikrotik_live", resId=2)
    stage.tell(2)
    stage.pass_s(1)
    expect(stage.at("log")).to_have_count(0)


def test_nothing_is_left_of_widgets_that_were_closed(stage: Stage) -> None:
    size = "[stage.hub.size, stage.hub.clock.size]"
    before = stage.page.evaluate(size)
    for device in range(1, 20):
        stage.show("mikrotik_live", resId=device)
        stage.tell(device)
        stage.pass_s(1)
    stage.show("")
    stage.pass_s(5)
    assert stage.page.evaluate(size) == before
    assert stage.page.evaluate("[stage.bus.channels.length, stage.hub._feeds.size]") == [0, 0]
    assert len(stage.asked("live_unwatch")) == 19


def test_a_widget_waits_for_a_device_that_mtd_knows(stage: Stage) -> None:
    stage.show("mikrotik_live", resId=False)
    expect(stage.at("unsaved")).to_be_visible()
    stage.show("mikrotik_live", mtd_id=False)
    expect(stage.at("unknown")).to_be_visible()
    assert stage.asked("live_watch") == []


def test_health_is_told_over_a_day_and_a_week(stage: Stage) -> None:
    stage.page.evaluate(
        """void (stage.orm.answers.live_health = (args, {seconds}) => {
          const end_us = Date.now() * 1000;
          const cut = end_us - 600e6;
          const segments = [
            {from_us: end_us - seconds * 1e6, to_us: cut, status: 'down', reason: 'connection refused'},
            {from_us: cut, to_us: end_us, status: 'up', reason: ''},
          ];
          return {start_us: end_us - seconds * 1e6, end_us, segments};
        })"""
    )
    stage.show("mikrotik_health")
    expect(stage.at("change")).to_have_count(2)
    expect(stage.at("change").first).to_contain_text("now")
    expect(stage.at("change").last).to_contain_text("Connection refused")
    stage.page.locator("[data-testid=window][data-seconds='604800']").click()
    expect(stage.at("change").last).to_contain_text("6 d 23 h")
    assert [one["kwargs"]["seconds"] for one in stage.asked("live_health")] == [86400, 604800]
    stage.pass_s(61)
    assert len(stage.asked("live_health")) == 3


def test_what_mtd_refuses_is_told_with_what_to_do(stage: Stage) -> None:
    stage.page.evaluate(
        "stage.orm.answers.live_health = stage.odooError('UserError', 'mtd: not reached\\nIs it running?')"
    )
    stage.show("mikrotik_health")
    expect(stage.at("problem")).to_contain_text("mtd: not reached Is it running?")
    stage.page.evaluate("stage.orm.answers.live_health = {start_us: 0, end_us: 1, segments: []}")
    stage.page.get_by_role("button", name="Try again").click()
    expect(stage.at("problem")).to_have_count(0)
    expect(stage.at("health-view")).to_contain_text("Nothing is known of that time.")


def test_output_of_a_tool_is_told_as_it_comes(stage: Stage) -> None:
    stage.show("mikrotik_diagnostic", resId=5, state="queued", output=False, error=False)
    expect(stage.at("diagnostic")).to_contain_text("Waiting for the bridge")
    assert stage.page.evaluate("stage.bus.channels") == ["mikrotik_monitoring.diagnostic.5"]
    say = "(payload) => stage.bus.tell(payload, 'mikrotik_monitoring.diagnostic')"
    lines = [f"seq {number} 1 ms <b>" for number in range(100)]
    stage.page.evaluate(say, {"id": 5, "state": "running", "lines": lines, "error": ""})
    stage.page.evaluate(say, {"id": 6, "state": "failed", "lines": ["another"], "error": "no"})
    stage.pass_s(1)
    expect(stage.at("diagnostic")).to_have_attribute("data-state", "running")
    output = stage.page.locator(".mtd-output__lines")
    expect(output).to_contain_text("seq 99 1 ms <b>")
    assert output.evaluate("(e) => e.scrollTop + e.clientHeight >= e.scrollHeight - 1")
    stage.page.evaluate(say, {"id": 5, "state": "failed", "lines": lines, "error": "no route to host"})
    stage.pass_s(1)
    expect(stage.page.get_by_role("alert")).to_have_text("no route to host")
    assert stage.page.evaluate("stage.loads") == 2
    stage.show("")
    assert stage.page.evaluate("stage.bus.channels") == []


@pytest.mark.parametrize("look", [NARROW], indirect=True)
@pytest.mark.parametrize("widget", ["mikrotik_live", "mikrotik_interfaces"])
def test_a_phone_shows_all_of_it(stage: Stage, widget: str) -> None:
    stage.show(widget)
    stage.tell()
    stage.pass_s(1)
    wide = stage.page.evaluate(
        """[...document.querySelectorAll('.o_mtd, .mtd-panel, .mtd-legend, .mtd-scroll-x')]
          .filter((one) => one.scrollWidth > one.clientWidth + 1 || one.getBoundingClientRect().right > innerWidth + 1)
          .map((one) => one.className)"""
    )
    assert wide == []


def test_what_is_around_looks_as_before(stage: Stage) -> None:
    """The addon's styles reach nothing of Odoo's pages."""
    foreign = stage.page.evaluate(
        """[...document.styleSheets].flatMap((sheet) => [...sheet.cssRules])
          .flatMap((rule) => rule.cssRules?.length && !rule.selectorText ? [...rule.cssRules] : [rule])
          .flatMap((rule) => (rule.selectorText ?? '').split(/,(?![^(]*\\))/))
          .map((one) => one.trim())
          .filter((one) => one && !/^(\\.mtd-|\\.o_mtd|\\.o_widget_mikrotik_|:where\\(\\.o_mtd\\)|:root)/.test(one))"""
    )
    assert foreign == []
