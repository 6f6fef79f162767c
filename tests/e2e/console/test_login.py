"""Logging in, out, and looking at another tenant: in a browser, as people do it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from mtd.testing import run_async
from mtd.testing.browser import Record
from tests.e2e.console.desk import PATIENCE_S, BrowserThread
from tests.e2e.console.test_page import Inline
from tests.integration.app.login_kit import A_NAME, B_DEVICE, B_NAME, PASSWORD, House, house

LIVE = "[data-testid=connection][data-phase=live]"
REFUSED = (
    r"console error: Failed to load resource: the server responded with a status of 4\d\d.*",
    r"refused: 4\d\d .+/console/.+",
)
NO_CHANNEL = (
    r"console error: WebSocket connection to '.+/console/live' failed: .*",
    r"failed: GET .+/console/.+: net::ERR_ABORTED",
)
SMALL = {"viewport": {"width": 320, "height": 640}}
PHONE = {"viewport": {"width": 360, "height": 780}, "has_touch": True, "is_mobile": True}


@dataclass
class Seat:
    """A browser's page before a console in this process."""

    page: Page
    record: Record
    home: House
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.home.server.port}/console/"

    def daemon(self, work: Any) -> Any:
        """Do something in the daemon's thread, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)

    def log_in(self, name: str, password: str = PASSWORD) -> None:
        self.page.get_by_label("Name", exact=True).fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def open_menu(self) -> Any:
        self.page.locator("[data-testid=who] summary").click()
        return self.page.locator(".who__menu")


@contextmanager
def seat(thread: BrowserThread, home: House, loop: asyncio.AbstractEventLoop, look: Any) -> Iterator[Seat]:
    page = thread.browser.new_context(**look).new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    made = Seat(page, Record(page, f"http://127.0.0.1:{home.server.port}"), home, loop)
    try:
        yield made
        assert not made.record.complaints, "\n".join(made.record.complaints)
    finally:
        page.context.close()


def watch(
    thread: BrowserThread, dsn: str, work: Callable[[Seat], None], look: Any = None, **sections: Any
) -> None:
    """Open a console, and let a browser work at it."""

    async def main() -> None:
        async with house(dsn, **sections) as home:
            loop = asyncio.get_running_loop()

            def at_the_browser() -> None:
                with seat(thread, home, loop, look or {}) as made:
                    work(made)

            await asyncio.to_thread(thread.run, at_the_browser)

    run_async(main(), timeout_s=110)


def test_login_and_logout(browser: BrowserThread, postgres_dsn: str) -> None:
    def work(seat: Seat) -> None:
        page = seat.page
        page.goto(f"{seat.url}#/events")
        expect(page.get_by_label("Name", exact=True)).to_be_focused()
        assert page.url.endswith("/console/login#/events")
        seat.log_in("ann", "wrong")
        expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
        assert seat.record.forgive(*REFUSED)
        # By keys alone.
        page.get_by_label("Name", exact=True).fill("ann")
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_selector(LIVE)
        assert page.url.endswith("/console/#/events")
        assert page.evaluate("document.cookie") == ""  # no script can read it
        menu = seat.open_menu()
        expect(menu).to_contain_text("ann")
        expect(menu).to_contain_text("Viewer")
        expect(menu.get_by_test_id("tenant")).to_have_count(0)
        page.get_by_test_id("logout").click()
        expect(page.get_by_role("status")).to_have_text("You are logged out.")
        page.goto(seat.url)
        expect(page.get_by_label("Password")).to_be_visible()
        seat.record.forgive(*NO_CHANNEL)

    watch(browser, postgres_dsn, work)


@pytest.mark.parametrize(
    "look",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE, SMALL],
    ids=["light", "dark", "phone", "small"],
)
def test_the_login_page_shuts_nobody_out(browser: BrowserThread, postgres_dsn: str, look: Any) -> None:
    def work(seat: Seat) -> None:
        page = seat.page
        answer = page.goto(f"{seat.url}login")
        assert answer is not None
        assert not Inline(answer.text()).found
        assert "unsafe" not in answer.headers["content-security-policy"]
        expect(page.get_by_label("Name", exact=True)).to_be_visible()
        page.evaluate(AXE_SCRIPT)
        rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}
        found = page.evaluate("(rules) => axe.run(document, rules)", rules)["violations"]
        assert not found, json.dumps(found, indent=1)[:2000]
        seat.log_in("root")
        page.wait_for_selector(LIVE)
        seat.open_menu()
        wide = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1]
        page.evaluate(AXE_SCRIPT)
        found = page.evaluate("(rules) => axe.run(document, rules)", rules)["violations"]
        assert not found, json.dumps(found, indent=1)[:2000]

    watch(browser, postgres_dsn, work, look)


def test_a_session_that_ends_leads_to_the_login_and_back(browser: BrowserThread, postgres_dsn: str) -> None:
    def work(seat: Seat) -> None:
        page, users = seat.page, seat.home.identity.users
        page.goto(f"{seat.url}login")
        seat.log_in("ann")
        page.wait_for_selector(LIVE)
        page.goto(f"{seat.url}#/mtd")
        user = seat.daemon(users.get(seat.home.reads.owner["aaaaaaaa-0000-4000-8000-000000000001"], "ann"))
        hashed = seat.daemon(seat.home.identity.passwords.hash(PASSWORD))
        seat.daemon(users.set_password(user.tenant_id, user.user_id, hashed))
        expect(page.get_by_label("Password")).to_be_visible()
        seat.record.forgive(*REFUSED, *NO_CHANNEL)
        seat.log_in("ann")
        page.wait_for_selector(LIVE)
        assert page.url.endswith("/console/#/mtd")

    watch(browser, postgres_dsn, work)


def test_isolation_another_tenant_is_chosen_and_nothing_of_the_first_stays(
    browser: BrowserThread, postgres_dsn: str
) -> None:
    def work(seat: Seat) -> None:
        page = seat.page
        page.goto(f"{seat.url}login")
        seat.log_in("root")
        page.wait_for_selector(f"[data-name={A_NAME}]")
        expect(page.locator(f"[data-name={B_NAME}]")).to_have_count(0)
        menu = seat.open_menu()
        menu.get_by_test_id("tenant").select_option(label="beta")
        page.wait_for_selector(f"[data-name={B_NAME}]")
        expect(page.locator(f"[data-name={A_NAME}]")).to_have_count(0)
        expect(page.get_by_test_id("who")).to_have_attribute("data-tenant", seat.home.beta)
        seat.record.forgive(*NO_CHANNEL)

    watch(browser, postgres_dsn, work)


def test_isolation_a_viewer_sees_its_own_tenant_alone(browser: BrowserThread, postgres_dsn: str) -> None:
    def work(seat: Seat) -> None:
        page = seat.page
        page.goto(f"{seat.url}login")
        seat.log_in("ann")
        page.wait_for_selector(f"[data-name={A_NAME}]")
        page.goto(f"{seat.url}#/mtd")
        page.wait_for_selector("[data-testid=cost]")
        expect(page.get_by_test_id("figure")).to_have_count(0)
        expect(page.get_by_test_id("check")).to_have_count(0)
        expect(page.get_by_test_id("verdict")).to_have_count(0)
        # The page says so upon the first refusal; those of what else it asked for come later.
        seat.record.expect(*REFUSED)
        page.goto(f"{seat.url}#/devices/{B_DEVICE}")
        expect(page.locator("main")).to_contain_text("isn't in the inventory")
        told = json.dumps(seat.record.messages) + page.content()
        assert B_NAME not in told
        assert seat.home.beta not in told

    watch(browser, postgres_dsn, work)


def test_who_guesses_is_told_to_wait(browser: BrowserThread, postgres_dsn: str) -> None:
    def work(seat: Seat) -> None:
        page = seat.page
        page.goto(f"{seat.url}login")
        for _ in range(2):
            seat.log_in("ann", "wrong")
            expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_role("button", name="Log in")).to_be_disabled()
        expect(page.get_by_role("alert")).to_contain_text("Too many wrong passwords. Try again in")
        expect(page.get_by_role("button", name="Log in")).to_be_enabled()
        seat.log_in("ann")
        page.wait_for_selector(LIVE)
        assert seat.record.forgive(*REFUSED)

    watch(browser, postgres_dsn, work, login={"free_failures": 1, "first_wait_s": 1.0, "longest_wait_s": 3.0})


def test_this_machine_needs_no_login(browser: BrowserThread, postgres_dsn: str) -> None:
    def work(seat: Seat) -> None:
        page = seat.page
        page.goto(seat.url)
        page.wait_for_selector(LIVE)
        menu = seat.open_menu()
        expect(menu).to_contain_text("This machine")
        menu.get_by_test_id("login").click()
        seat.log_in("ann")
        page.wait_for_selector(LIVE)
        expect(page.get_by_test_id("who")).to_contain_text("ann")
        page.goto(f"{seat.url}login")  # who is known isn't asked
        page.wait_for_selector(LIVE)
        seat.record.forgive(*NO_CHANNEL)

    watch(browser, postgres_dsn, work, security={"trust_loopback": True})
