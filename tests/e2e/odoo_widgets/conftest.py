"""One browser for all tests of the Odoo widgets, and a page for each that shows them without Odoo."""

from __future__ import annotations

import mimetypes
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route

from mtd.testing.browser import MISSING, Record, find_chromium
from mtd.testing.missing import skip_without
from tests.e2e.console.desk import PATIENCE_S, BrowserThread

ROOT = Path(__file__).resolve().parents[3]
ORIGIN = "http://odoo.test"
"""No secure context: Odoo is often served without TLS in a private network."""


@dataclass(slots=True)
class Stage:
    """A page with a widget, and what stands for Odoo behind it: ``window.stage``."""

    page: Page
    record: Record

    def show(self, widget: str, **data: Any) -> None:
        """Show a widget by its name, for a record with these values; no name: nothing."""
        self.page.evaluate("([name, data]) => stage.show(name, data)", [widget, data])

    def tell(self, device: int = 1, **more: Any) -> None:
        """Let a live message come, as of now."""
        self.page.evaluate("([device, more]) => stage.tell(device, more)", [device, more])

    def asked(self, method: str) -> list[dict[str, Any]]:
        """Return what Odoo's server was asked for by a method."""
        found: list[dict[str, Any]] = self.page.evaluate("(name) => stage.orm.of(name)", method)
        return found

    def pass_s(self, seconds: float) -> None:
        """Let time pass in the page, at once; meanwhile it goes on by itself."""
        self.page.clock.run_for(round(seconds * 1000))

    def at(self, test_id: str) -> Locator:
        """Return the elements with this mark."""
        return self.page.get_by_test_id(test_id)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run tests in the thread of the browser."""
    thread = pyfuncitem._request.getfixturevalue("browser")
    names = pyfuncitem._fixtureinfo.argnames
    thread.run(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names})
    return True


@pytest.fixture(scope="package")
def browser() -> Iterator[BrowserThread]:
    if find_chromium() is None:
        skip_without(MISSING)
    thread = BrowserThread()
    yield thread
    thread.stop()


@pytest.fixture(scope="package")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files, made of what the addon's manifest names."""
    node = subprocess.run(
        [ROOT / "scripts/build_console", "--node"], capture_output=True, text=True, check=False, timeout=240
    )
    if node.returncode != 0:
        skip_without(f"the packages for the browser can't be had: {node.stderr.strip()}")
    folder = tmp_path_factory.mktemp("odoo_widgets")
    build = [node.stdout.strip(), "tests/js/odoo/build_page.mjs", folder]
    made = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    """How the browser looks at the page; a test may parametrize it."""
    return {"viewport": {"width": 1280, "height": 900}, **getattr(request, "param", {})}


@pytest.fixture
def stage(browser: BrowserThread, built: Path, look: dict[str, Any]) -> Iterator[Stage]:
    def serve(route: Route) -> None:
        name = route.request.url.removeprefix(f"{ORIGIN}/") or "index.html"
        kind = mimetypes.guess_type(name)[0] or "text/html"
        route.fulfill(body=(built / name).read_bytes(), content_type=kind)

    def begin() -> Stage:
        context = browser.browser.new_context(**look)
        context.route(f"{ORIGIN}/**", serve)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        made = Stage(page, Record(page, ORIGIN))
        page.clock.install(time=1_800_000_000)
        page.goto(f"{ORIGIN}/")
        page.wait_for_selector("html[data-ready=true]")
        return made

    shown = browser.run(begin)
    try:
        yield shown
        assert not shown.record.complaints, "\n".join(shown.record.complaints)
    finally:
        browser.run(shown.page.context.close)
