"""What tests of the console work with: a browser in a thread of its own, and pages that are watched."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from playwright.sync_api import Browser, Page, expect

from mtd.testing.browser import Record, chromium
from tests.e2e.kit import Rig

T = TypeVar("T")

# Machines that run tests are shared: what takes longer than this is broken, not slow.
PATIENCE_S = 60.0
expect.set_options(timeout=PATIENCE_S * 1000)
# Said when the daemon isn't there, which some tests want; chromium prints it, no page can hide it.
UNREACHABLE = (
    r"console error: WebSocket connection to '.+/console/live' failed: .*",
    r"console error: Failed to load resource: net::ERR_(CONNECTION_REFUSED|EMPTY_RESPONSE|CONNECTION_RESET)",
    r"failed: GET .+/console/api/.+: net::ERR_(CONNECTION_REFUSED|EMPTY_RESPONSE|CONNECTION_RESET|ABORTED)",
)


class BrowserThread:
    """The one thread in which Playwright lives: that of pytest runs the reactor, which it can't share."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="browser")
        self._stack = contextlib.ExitStack()
        self.browser: Browser = self.run(lambda: self._stack.enter_context(chromium()))

    def run(self, work: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Do something in this thread and wait for it."""
        return self._thread.submit(work, *arguments, **named).result()

    def stop(self) -> None:
        """End the browser."""
        self.run(self._stack.close)
        self._thread.shutdown()


@dataclass(slots=True)
class Desk:
    """A page of the console, its record, and the daemon behind it."""

    page: Page
    record: Record
    rig: Rig
    ids: dict[str, str] = field(default_factory=dict)
    """Name of a device -> its id."""

    def open(self, path: str = "", *, ready: str = "[data-testid=connection][data-phase=live]") -> Page:
        """Go to a page of the console and wait until it shows something."""
        self.page.goto(self.rig.console_url + path)
        self.page.wait_for_selector(ready, timeout=PATIENCE_S * 1000)
        return self.page

    def until(self, condition: Callable[[], T], what: str, timeout_s: float = PATIENCE_S) -> T:
        """Wait until a condition holds, while the page goes on; return what it gave."""
        deadline = time.monotonic() + timeout_s
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
            self.page.wait_for_timeout(100)
        return found

    def now_us(self) -> int:
        """Return the time of the daemon as the page knows it: of the newest live message."""
        return int(self.record.messages[-1]["now_us"])


@contextlib.contextmanager
def desk_of(thread: BrowserThread, rig: Rig, **context: Any) -> Iterator[Desk]:
    """Give a page in a context of its own; at its end nothing may be left to complain about."""

    def begin() -> Desk:
        page = thread.browser.new_context(
            **{"viewport": {"width": 1440, "height": 900}, **context}
        ).new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        return Desk(page, Record(page, rig.console_url.removesuffix("/console/")), rig)

    desk = thread.run(begin)
    try:
        yield desk
        assert not desk.record.complaints, "\n".join(desk.record.complaints)
    finally:
        thread.run(desk.page.context.close)
