"""What an operator does, in a browser, on a real Odoo with a real mtd: and what he sees when something is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from mtd.testing.browser import MISSING, find_chromium
from mtd.testing.missing import skip_without
from mtd.testing.odoo.companies import ADMIN, MAIN, SUBSCRIBERS, Company, Person, token_of
from mtd.testing.odoo.server import Odoo
from tests.e2e.console.desk import BrowserThread
from tests.e2e.kit import QUICK_TIERS, rig
from tests.odoo.desk import ODOO_AWAY, LivePage, OdooDesk, odoo_desk
from tests.odoo.kit import Ground, add_device, ground, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SCENARIO = """
[[router]]
name = "known"
interfaces = 6
pppoe = 3

[[router]]
name = "new"
interfaces = 6
"""
OPERATOR = "operator"
MOVES_S = 30.0
# A page calls values stale when they are five seconds old; half of that is for a busy machine.
STALE_WITHIN_S = 10.0
EACH_SECOND = ("rx_bps", "tx_bps", "system.cpu.load_pct")
"""Tiles of what is polled each second; those of slower groups are old by nature."""
# Odoo's bus waits 50 s before it listens again to a database that was away.
BUS_COMES_BACK_S = 120.0


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserThread]:
    if find_chromium() is None:
        skip_without(MISSING)
    thread = BrowserThread()
    yield thread
    thread.stop()


@pytest.fixture(scope="module")
def whole(odoo: Odoo, addon_template: str, new_database: Callable[..., str]) -> Iterator[Ground]:
    with rig(SCENARIO, settings=QUICK_TIERS) as stage:
        add_device(stage, "default", "known", "known")
        stage.wait_until_polled("known")
        people = (Person(OPERATOR, (ADMIN, SUBSCRIBERS)), Person("watcher"))
        company = Company(MAIN, token_of(stage.server, "default"), people)
        with ground(stage, odoo, new_database(addon_template), [company], workers=2) as whole:
            yield whole


def _add_login(desk: OdooDesk, name: str, username: str, password: str) -> None:
    desk.open("action_mikrotik_credential_set")
    desk.new()
    desk.fill("name", name)
    desk.fill("username", username)
    desk.fill("password", password)
    desk.save()


def _add_router(desk: OdooDesk, name: str, host: str, port: int, login: str) -> None:
    desk.open("action_mikrotik_device")
    desk.new()
    desk.fill("name", name)
    desk.fill("host", host)
    desk.fill("port", str(port))
    desk.choose("credential_set_id", login)
    desk.save()


def test_a_router_is_added_tested_and_seen_alive(whole: Ground, browser: BrowserThread) -> None:
    lab = whole.rig.routers["new"]

    def add(desk: OdooDesk) -> None:
        _add_login(desk, "lab", lab["username"], lab["password"])
        _add_router(desk, "added", lab["host"], lab["port"], "lab")
        desk.press("action_test_connection")
        dialog = desk.page.locator(".modal .o_form_view")
        for step in ("Reach", "Log in", "Read version and identity"):
            expect(dialog.locator(".o_data_row", has_text=step)).to_contain_text("Passed")
        expect(dialog).to_contain_text("RouterOS 7.")
        desk.page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)

    def watch(desk: OdooDesk) -> set[int]:
        desk.notebook("Live")
        live = LivePage(desk)
        live.wait_until_moving("a new router")
        desk.mark()
        seen: set[int] = set()
        until = time.monotonic() + MOVES_S
        while time.monotonic() < until:
            seen.add(live.last_us())
            assert not live.is_stale()
            desk.page.wait_for_timeout(250)
        assert desk.is_the_same_page()
        return seen

    with odoo_desk(browser, whole.server.url, OPERATOR) as desk:
        browser.run(add, desk)
        seen = browser.run(watch, desk)
    assert len(seen) >= MOVES_S * 0.8, "a value a second, but for what a busy machine drops"
    assert whole.rig.devices()["added"]["status"] == "up"
    ((state,),) = whole.sql("SELECT sync_state FROM mikrotik_device WHERE name = 'added'")
    assert state == "synced"
    assert lab["password"] not in _dump(whole)


def _dump(whole: Ground) -> str:
    """Return all texts of the addon's tables."""
    tables = whole.sql(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND (relname LIKE 'mikrotik%' OR relname = 'bus_bus')"
    )
    return "\n".join(str(whole.sql(f"SELECT * FROM {table}")) for (table,) in tables)


def test_what_is_old_says_so_until_mtd_is_back(whole: Ground, browser: BrowserThread) -> None:
    def look(desk: OdooDesk) -> None:
        desk.open_device(whole.device("known"))
        desk.notebook("Live")
        LivePage(desk).wait_until_moving("at first")
        desk.mark()

    def see_it_stop(desk: OdooDesk) -> None:
        live = LivePage(desk)
        desk.until(live.is_stale, "the page says that values are old", STALE_WITHIN_S)
        expect(desk.page.get_by_test_id("last-update").first).to_contain_text("Last update")
        before = live.last_us()
        assert before
        tiles = live.kpis()
        assert {key: tiles[key]["stale"] for key in EACH_SECOND} == dict.fromkeys(EACH_SECOND, "true")
        desk.until(lambda: live.last_us() == before, "old values stay", 5)

    def see_it_go_on(desk: OdooDesk) -> None:
        LivePage(desk).wait_until_moving("mtd is back")
        assert desk.is_the_same_page()

    assert whole.rig.daemon is not None
    with odoo_desk(browser, whole.server.url, "watcher") as desk:
        browser.run(look, desk)
        whole.rig.daemon.stop()
        try:
            browser.run(see_it_stop, desk)
        finally:
            whole.rig.start_daemon()
        browser.run(see_it_go_on, desk)


def test_values_go_on_whatever_is_restarted(whole: Ground, browser: BrowserThread) -> None:
    """The bridge, Odoo, the database of Odoo: one after the other, and the page is never loaded anew."""

    def look(desk: OdooDesk) -> None:
        desk.open_device(whole.device("known"))
        desk.notebook("Live")
        LivePage(desk).wait_until_moving("at first")
        desk.mark()

    def goes_on(desk: OdooDesk, what: str, timeout_s: float = 60.0) -> None:
        LivePage(desk).wait_until_moving(what, timeout_s)
        assert desk.is_the_same_page()

    with odoo_desk(browser, whole.server.url, OPERATOR) as desk:
        browser.run(look, desk)
        whole.bridge.stop()
        browser.run(lambda: desk.until(LivePage(desk).is_stale, "values are old without a bridge", 20))
        whole.bridge.start()
        browser.run(goes_on, desk, "the bridge is back")

        desk.record.expect(*ODOO_AWAY)
        whole.server.restart()
        browser.run(goes_on, desk, "Odoo is back")

        whole.odoo.postgres.stop()
        whole.odoo.postgres.start()
        browser.run(goes_on, desk, "the database is back", BUS_COMES_BACK_S)
    wait_for(whole.bridge.is_well, "the bridge is well")
    whole.bridge.log.go_on()
    whole.server.log.go_on()


@pytest.mark.parametrize("tour", ["mikrotik_monitoring_menus"])
def test_odoos_own_tours_succeed(whole: Ground, browser: BrowserThread, tour: str) -> None:
    """The addon's tours, as Odoo runs them: each menu leads somewhere."""
    said: list[str] = []

    def walk(desk: OdooDesk) -> None:
        desk.page.on("console", lambda message: said.append(message.text))
        desk.page.goto(f"{desk.url}/web?debug=tests")
        desk.page.wait_for_selector(".o_main_navbar")
        desk.page.wait_for_function("name => odoo.isTourReady(name)", arg=tour)
        desk.page.evaluate("name => odoo.startTour(name)", tour)
        desk.until(lambda: "test successful" in said or desk.record.complaints, f"{tour} ends")

    with odoo_desk(browser, whole.server.url, OPERATOR) as desk:
        browser.run(walk, desk)
    assert "test successful" in said
