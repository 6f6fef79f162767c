"""Telemetry in Odoo's own views: read by whichever worker is asked, from mtd or its database, and never written."""

from __future__ import annotations

import datetime as dt
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from mtd.testing.browser import MISSING, find_chromium
from mtd.testing.missing import skip_without
from mtd.testing.odoo.companies import MAIN, Company, Person, token_of
from mtd.testing.odoo.rpc import OdooSession
from mtd.testing.odoo.server import Odoo
from tests.e2e.console.desk import BrowserThread
from tests.e2e.kit import QUICK_TIERS, rig
from tests.odoo.desk import OdooDesk, odoo_desk
from tests.odoo.kit import Ground, add_device, ground, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SCENARIO = """
[[router]]
name = "known"
interfaces = 3
"""
POINT, LATEST = "mikrotik.metric.point", "mikrotik.metric.latest"
FIELDS = (
    "time",
    "device_id",
    "metric",
    "label",
    "key",
    "value",
    "value_int",
    "value_text",
    "unit",
    "resolution",
)
RANGE_S = 20


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
        company = Company(MAIN, token_of(stage.server, "default"), (Person("watcher"),))
        with ground(stage, odoo, new_database(addon_template), [company], workers=2) as whole:
            yield whole


def a_range(whole: Ground) -> list[tuple[str, str, Any]]:
    """Return a domain of the device and of some seconds that are stored whole."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    newest = "SELECT min(ts_collected) FROM latest WHERE poll_group = 't0'"
    wait_for(lambda: whole.rig.value(newest) > now + dt.timedelta(seconds=1), "stored")
    since = now - dt.timedelta(seconds=RANGE_S)
    return [
        ("device_id", "=", whole.device("known")),
        ("time", ">=", f"{since:%Y-%m-%d %H:%M:%S}"),
        ("time", "<", f"{now:%Y-%m-%d %H:%M:%S}"),
    ]


def rows(session: OdooSession, model: str, domain: list[Any], **how: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.call(model, "search_read", domain, list(FIELDS), **how)
    return found


def read_by_sql(whole: Ground) -> None:
    """Let Odoo read mtd's database, as the documents say."""
    whole.rig.sql("CREATE ROLE odoo_default LOGIN PASSWORD 'x'")
    whole.rig.sql(
        "SELECT mtd.let_read('odoo_default', (SELECT tenant_id FROM mtd.tenant WHERE name = 'default'))"
    )
    words = dict(word.split("=", 1) for word in whole.rig.dsn().split())
    login = " ".join(f"{k}={v}" for k, v in {**words, "user": "odoo_default", "password": "x"}.items())
    # Only who runs the server may give it a way to a database.
    admin = whole.login("admin")
    (connection,) = admin.call("mikrotik.connection", "search", [])
    admin.call("mikrotik.connection", "write", [connection], {"metric_source": "sql", "sql_dsn": login})


def test_pages_and_groups_are_the_same_in_every_worker(whole: Ground) -> None:
    watcher, domain = whole.login("watcher"), a_range(whole)
    pages = [rows(watcher, POINT, domain, order="time desc, key", limit=20) for _ in range(6)]
    assert len(pages[0]) == 20
    assert all(page == pages[0] for page in pages)
    total = watcher.call(POINT, "search_count", domain)
    groups = watcher.call(POINT, "web_read_group", domain, ["value"], ["key"])["groups"]
    assert sum(group["key_count"] for group in groups) == total
    for group in groups[:3]:
        assert watcher.call(POINT, "search_count", group["__domain"]) == group["key_count"]


def test_both_sources_tell_the_same(whole: Ground) -> None:
    watcher, domain = whole.login("watcher"), a_range(whole)
    of_mtd = rows(watcher, POINT, domain, order="time, key")
    assert {"raw"} == {row["resolution"] for row in of_mtd}
    read_by_sql(whole)
    assert rows(watcher, POINT, domain, order="time, key") == of_mtd
    latest = rows(watcher, LATEST, domain[:1])
    assert {row["key"] for row in of_mtd} <= {row["key"] for row in latest}
    assert any(row["value_int"] for row in latest)
    assert any(row["value_text"] for row in latest)


def test_nothing_of_it_is_in_odoo(whole: Ground) -> None:
    assert rows(whole.login("watcher"), POINT, a_range(whole), limit=1)
    assert whole.sql("SELECT relname FROM pg_class WHERE relname LIKE 'mikrotik_metric%'") == []


def _export(desk: OdooDesk) -> bytes:
    """Export what is selected, by the menu; return the workbook."""
    page = desk.page
    page.locator(".o_cp_action_menus button").first.click()
    page.get_by_role("menuitem", name="Export").click()
    with page.expect_download() as download:
        page.locator(".o_export_data_dialog, .modal").locator(".o_select_button").click()
    workbook = download.value.path().read_bytes()
    page.locator(".modal").get_by_role("button", name="Close").last.click()
    expect(page.locator(".modal")).to_have_count(0)
    return workbook


def test_the_views_of_a_device_s_history(whole: Ground, browser: BrowserThread) -> None:
    def look(desk: OdooDesk) -> bytes:
        page = desk.page
        desk.open_device(whole.device("known"))
        desk.press("action_device_history")
        expect(page.locator(".o_searchview_facet")).to_contain_text(["known", "Last 15 minutes"])
        expect(page.locator(".o_data_row").nth(2)).to_be_visible()
        for place in (0, 2):
            page.locator(".o_data_row .o_list_record_selector input").nth(place).click()
        workbook = _export(desk)
        page.locator(".o_switch_view.o_graph").click()
        expect(page.locator(".o_graph_canvas_container canvas")).to_be_visible()
        page.locator(".o_switch_view.o_pivot").click()
        expect(page.locator(".o_pivot table")).to_contain_text("iface.")
        return workbook

    with odoo_desk(browser, whole.server.url, "admin") as desk:  # who may export
        workbook = browser.run(look, desk)
    with zipfile.ZipFile(io.BytesIO(workbook)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert len(re.findall("<row ", sheet)) == 1 + 2, "the title, and what was selected"
