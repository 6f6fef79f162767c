"""A browser at an Odoo, and what an operator does in it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from playwright.sync_api import Locator, Page

from mtd.testing.browser import Record
from mtd.testing.odoo.installation import ADDON
from tests.e2e.console.desk import PATIENCE_S, BrowserThread

T = TypeVar("T")
# Said while Odoo itself is away, which some tests want; chromium prints it, no page can hide it.
ODOO_AWAY = (
    r"console error: WebSocket connection to '.+/websocket.*' failed: .*",
    r"console error: Failed to load resource: .*",
    r"failed: (GET|POST) .+: net::ERR_(CONNECTION_REFUSED|EMPTY_RESPONSE|CONNECTION_RESET|ABORTED)",
    r"refused: 50\d .+",
    # Odoo knows no path of a database that it can't reach.
    r"refused: 404 .+/web/dataset/.+",
)


@dataclass
class OdooDesk:
    """A page of Odoo, and its record."""

    page: Page
    record: Record
    url: str
    loads: int = 0

    def login(self, login: str) -> None:
        """Log in by the form; the password is the login."""
        self.page.goto(f"{self.url}/web/login")
        self.page.fill("input[name=login]", login)
        self.page.fill("input[name=password]", login)
        self.page.click("button[type=submit]")
        self.page.wait_for_selector(".o_main_navbar")

    def open(self, action: str, ready: str = ".o_view_controller", **state: Any) -> None:
        """Go to one of the addon's actions."""
        more = "".join(f"&{name}={value}" for name, value in state.items())
        # Loaded anew, each time: what is waited for must not be on the page before.
        self.loads += 1
        self.page.goto(f"{self.url}/web?{self.loads}#action={ADDON}.{action}{more}")
        self.page.wait_for_selector(ready)

    def open_device(self, device_id: int) -> None:
        """Go to the form of a device."""
        self.open(
            "action_mikrotik_device",
            ".o_form_view .o_notebook",
            model="mikrotik.device",
            view_type="form",
            id=device_id,
        )

    def new(self) -> None:
        """Begin a record, in the list that is shown."""
        self.page.locator(".o_list_button_add:visible, .o-kanban-button-new:visible").first.click()
        self.page.wait_for_selector(".o_form_view .o_form_editable")

    def field(self, name: str) -> Locator:
        """Return a field of the form."""
        return self.page.locator(f".o_form_view .o_field_widget[name={name}]").first

    def fill(self, name: str, text: str) -> None:
        """Write into a field."""
        self.field(name).locator("input, textarea").first.fill(text)

    def choose(self, name: str, text: str) -> None:
        """Choose a record in a field, by what is written there."""
        self.field(name).locator("input").fill(text)
        self.field(name).locator(".o-autocomplete--dropdown-item, .dropdown-item").filter(
            has_text=text
        ).first.click()

    def save(self) -> None:
        """Save the form."""
        self.page.locator(".o_form_button_save").first.click()
        self.page.wait_for_selector(".o_form_view .o_form_saved")

    def press(self, method: str) -> None:
        """Press the button that calls a method of the model."""
        self.page.locator(f"button[name={method}]:visible").first.click()

    def notebook(self, title: str) -> None:
        """Open a page of the notebook."""
        self.page.locator(".o_notebook_headers .nav-link", has_text=title).first.click()

    def until(self, condition: Callable[[], T], what: str, timeout_s: float = PATIENCE_S) -> T:
        """Wait until a condition holds, while the page goes on; return what it gave."""
        deadline = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
            self.page.wait_for_timeout(100)
        return found

    def mark(self) -> None:
        """Leave a mark that a reload would wipe out."""
        self.page.evaluate("window.wasHere = true")

    def is_the_same_page(self) -> bool:
        """Return whether the page wasn't loaded anew since ``mark``."""
        return bool(self.page.evaluate("window.wasHere === true"))


@contextlib.contextmanager
def odoo_desk(thread: BrowserThread, url: str, login: str, **context: Any) -> Iterator[OdooDesk]:
    """Give a page at which somebody is logged in; at its end nothing may be left to complain about."""

    def begin() -> OdooDesk:
        settings = {"viewport": {"width": 1440, "height": 1000}, **context}
        page = thread.browser.new_context(**settings).new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        desk = OdooDesk(page, Record(page, url, keep_messages=False), url)
        desk.login(login)
        return desk

    desk = thread.run(begin)
    try:
        yield desk
        assert not desk.record.complaints, "\n".join(desk.record.complaints)
    finally:
        thread.run(desk.page.context.close)


@dataclass
class LivePage:
    """The live page of a device, as it is seen."""

    desk: OdooDesk

    def kpis(self) -> dict[str, dict[str, str]]:
        """Return the tiles by their key: value, time, and whether it is marked stale."""
        found: dict[str, dict[str, str]] = self.desk.page.evaluate(
            """() => Object.fromEntries([...document.querySelectorAll("[data-testid=kpi]")].map(
                (one) => [one.dataset.key, {value: one.dataset.value, at: one.dataset.tUs, stale: one.dataset.stale}]))"""
        )
        return found

    def last_us(self) -> int:
        """Return of when the newest values are that are shown; 0 if there are none."""
        return int(self._of("last-update", "tUs") or 0)

    def is_stale(self) -> bool:
        """Return whether the page says that what it shows is old."""
        return self._of("last-update", "stale") == "true"

    def phase(self) -> str:
        """Return what the page says of its connection."""
        return self._of("live", "phase")

    def _of(self, what: str, name: str) -> str:
        found = self.desk.page.evaluate(
            "([what, name]) => document.querySelector(`[data-testid=${what}]`)?.dataset[name] ?? ''",
            [what, name],
        )
        return str(found)

    def wait_until_moving(self, what: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until values are live, and newer ones follow."""
        self.desk.until(lambda: self.last_us() and not self.is_stale(), f"{what}: live values", timeout_s)
        before = self.last_us()
        self.desk.until(lambda: self.last_us() > before, f"{what}: newer values", timeout_s)
