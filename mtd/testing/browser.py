"""The machine's chromium, headless, driven by Playwright; and a record of what a page did.

For the tests of the console, its pictures and its soak. Playwright brings its
driver, no browser: nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import (
    Browser,
    CDPSession,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    Response,
    WebSocket,
    sync_playwright,
)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    f"no chromium on this machine: install it, or name one in MTD_CHROMIUM (looked for {', '.join(NAMES)})"
)

_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
# Chromium refuses to run as root inside its sandbox, as in most containers.
_AS_ROOT = ("--no-sandbox",)


def find_chromium() -> str | None:
    """Return the path of a chromium, or None."""
    named = os.environ.get("MTD_CHROMIUM")
    if named:
        return shutil.which(named)
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def chromium(*arguments: str) -> Iterator[Browser]:
    """Run chromium with a profile of its own that ends with it.

    The calling thread must not run an event loop: Playwright has its own.
    """
    path = find_chromium()
    if path is None:
        raise FileNotFoundError(MISSING)
    with sync_playwright() as playwright:
        browser = _launch(playwright, path, arguments)
        try:
            yield browser
        finally:
            browser.close()


def _launch(playwright: Playwright, path: str, arguments: tuple[str, ...]) -> Browser:
    flags = [*_QUIET, *(_AS_ROOT if os.geteuid() == 0 else ()), *arguments]
    # Signals are for us to pass on: Ctrl-C ends the daemon and the lab as well, in order.
    return playwright.chromium.launch(
        executable_path=path, headless=True, args=flags, handle_sigint=False, handle_sigterm=False
    )


@dataclass  # without slots: Playwright leaves marks on those that it calls
class Record:
    """What a page said, asked for and was sent, from now on.

    ``complaints`` holds what must not be: warnings and errors of the console,
    uncaught errors, requests that failed or left the origin. ``messages`` are
    those of the live channel, ``sent`` what the page sent on it.
    """

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    sockets: int = 0
    keep_messages: bool = True
    expected: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_error)
        self.page.on("request", self._on_request)
        self.page.on("requestfailed", self._on_failed)
        self.page.on("response", self._on_response)
        self.page.on("websocket", self._on_socket)

    def forgive(self, *patterns: str) -> list[str]:
        """Take out the complaints that match one of these patterns as a whole, and return them."""
        expected = [one for one in self.complaints if any(re.fullmatch(text, one) for text in patterns)]
        self.complaints = [one for one in self.complaints if one not in expected]
        return expected

    def expect(self, *patterns: str) -> None:
        """Complain no more about what matches one of these patterns as a whole: neither of what was nor of what follows."""
        self.forgive(*patterns)
        self.expected += patterns

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """Return the live messages of a type."""
        return [message for message in self.messages if message["type"] == kind]

    def messages_by_device(self, since_us: int = 0) -> Counter[str]:
        """Return device -> how many messages brought values of it, by the daemon's clock since then."""
        counts: Counter[str] = Counter()
        for message in self.messages:
            if message["now_us"] < since_us:
                continue
            if message["type"] == "values":
                counts.update(message["devices"].keys())
            elif message["type"] == "detail":
                counts[message["id"]] += 1
        return counts

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self._complain(f"console {message.type}: {message.text}")

    def _complain(self, text: str) -> None:
        if not any(re.fullmatch(pattern, text) for pattern in self.expected):
            self.complaints.append(text)

    def _on_error(self, error: Exception) -> None:
        self._complain(f"uncaught: {error}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "data:", "blob:")):
            self._complain(f"left the origin: {request.url}")

    def _on_failed(self, request: Request) -> None:
        if request.failure == "net::ERR_ABORTED":
            return  # the page called it off itself: it went elsewhere, or asked anew
        self._complain(f"failed: {request.method} {request.url}: {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self._complain(f"refused: {response.status} {response.url}")

    def _on_socket(self, socket: WebSocket) -> None:
        self.sockets += 1
        if not socket.url.startswith(self.origin.replace("http", "ws", 1)):
            self._complain(f"left the origin: {socket.url}")
        if self.keep_messages:
            socket.on("framereceived", lambda payload: self.messages.append(json.loads(payload)))
            socket.on("framesent", lambda payload: self.sent.append(json.loads(payload)))


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a page holds after a collection of garbage."""

    heap_bytes: int
    nodes: int
    listeners: int
    documents: int

    @classmethod
    def of(cls, session: CDPSession) -> Footprint:
        """Measure a page by its CDP session."""
        session.send("Performance.enable")
        # Twice: what finalizers let go of goes with the second.
        for _ in range(2):
            session.send("HeapProfiler.collectGarbage")
        found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return cls(
            heap_bytes=int(found["JSHeapUsedSize"]),
            nodes=int(found["Nodes"]),
            listeners=int(found["JSEventListeners"]),
            documents=int(found["Documents"]),
        )
