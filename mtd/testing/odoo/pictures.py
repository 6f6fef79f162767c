"""``scripts/screenshots --odoo``: the addon as it looks, on the lab's ISP, for its documents."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from playwright.sync_api import Browser, Page
from rich.console import Console

from mtd.testing.browser import MISSING, Record, chromium, find_chromium
from mtd.testing.end_to_end import running_stage, wait_for_first_polls
from mtd.testing.harness import HarnessFailed
from mtd.testing.odoo.companies import ADMIN, MAIN, SUBSCRIBERS, Company, Person, set_up, token_of
from mtd.testing.odoo.database import odoo_postgres
from mtd.testing.odoo.installation import ADDON, OdooMissing, find_installation
from mtd.testing.odoo.rpc import OdooSession
from mtd.testing.odoo.server import BASE_MODULES, Bridge, Odoo, OdooServer
from mtd.testing.screenshots import DESK, PHONE, POLLED_AT_LEAST, SHOWN, isp_plan, make_trouble

DEFAULT_FOLDER = Path("docs/img")
_DATABASE = "pictures"
_OPERATOR = "operator"
_PATIENCE_MS = 60_000
# Until mtd has seen what is wrong, and the bridge has brought it to Odoo.
_TROUBLE_SHOWS_S = 60.0
_TROUBLED = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """The Odoo that is photographed."""

    url: str
    device_id: int
    make_trouble: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Picture:
    """One file: what is on it, on which screen."""

    name: str
    go: Callable[[Page, Shown], None]
    size: tuple[int, int] = DESK
    published: bool = True
    """Whether documents show it; the others are for looking only."""


def _devices(page: Page, shown: Shown) -> None:
    page.goto(
        f"{shown.url}/web?picture#action={ADDON}.action_mikrotik_device&model=mikrotik.device&view_type=list"
    )
    page.wait_for_selector(".o_list_view .o_data_row")


def _kanban(page: Page, shown: Shown) -> None:
    page.goto(
        f"{shown.url}/web?picture#action={ADDON}.action_mikrotik_device&model=mikrotik.device&view_type=kanban"
    )
    page.wait_for_selector(".o_kanban_record:not(.o_kanban_ghost)")


def _device(page: Page, shown: Shown) -> None:
    page.goto(
        f"{shown.url}/web?picture#action={ADDON}.action_mikrotik_device&model=mikrotik.device"
        f"&view_type=form&id={shown.device_id}"
    )
    page.wait_for_selector(".o_form_view .o_notebook")


def _tab(page: Page, shown: Shown, name: str, ready: str) -> None:
    _device(page, shown)
    page.locator(".o_notebook_headers .nav-link", has_text=name).first.click()
    page.wait_for_selector(ready)
    # What is looked at is the page of the notebook, not what is above it.
    page.locator(".o_notebook_headers").scroll_into_view_if_needed()


def _live(page: Page, shown: Shown) -> None:
    _tab(page, shown, "Live", "[data-testid=live][data-phase=live]")


def _interfaces(page: Page, shown: Shown) -> None:
    _tab(page, shown, "Interfaces", "[data-testid=interfaces-view][data-phase=live] [data-testid=interface]")


def _health(page: Page, shown: Shown) -> None:
    _tab(page, shown, "Health", "[data-testid=health-view] [data-testid=change]")


def _capabilities(page: Page, shown: Shown) -> None:
    _tab(page, shown, "Capabilities", ".o_notebook_content .tab-pane.active")


def _action(name: str, ready: str) -> Callable[[Page, Shown], None]:
    def go(page: Page, shown: Shown) -> None:
        page.goto(f"{shown.url}/web?picture#action={ADDON}.{name}")
        page.wait_for_selector(ready)

    return go


PICTURES = (
    Picture("odoo-devices", _devices),
    Picture("odoo-device", _device),
    Picture("odoo-live", _live),
    Picture("odoo-interfaces", _interfaces),
    Picture("odoo-phone", _live, PHONE),
    Picture("odoo-kanban", _kanban, published=False),
    Picture("odoo-kanban-phone", _kanban, PHONE, published=False),
    Picture("odoo-device-phone", _device, PHONE, published=False),
    Picture("odoo-interfaces-phone", _interfaces, PHONE, published=False),
    Picture("odoo-health", _health, published=False),
    Picture("odoo-capabilities", _capabilities, published=False),
    Picture("odoo-events", _action("action_mikrotik_event", ".o_list_view .o_data_row"), published=False),
    Picture("odoo-connection", _action("action_mikrotik_connection", ".o_view_controller"), published=False),
    Picture("odoo-logins", _action("action_mikrotik_credential_set", ".o_view_controller"), published=False),
    Picture("odoo-sites", _action("action_mikrotik_site", ".o_view_controller"), published=False),
    Picture("odoo-latest", _action("action_mikrotik_metric_latest", ".o_view_controller"), published=False),
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--into",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="Where the pictures go.",
)
@click.option("--all", "everything", is_flag=True, help="Take those that are only for looking at as well.")
@click.option("--only", metavar="NAME", multiple=True, help="Take these alone.")
@click.option(
    "--warm-up",
    "warm_up_s",
    type=click.FloatRange(min=0),
    default=180.0,
    show_default=True,
    help="How long the pages are open before pictures are taken: sparklines and charts need a past.",
)
def main(folder: Path, everything: bool, only: tuple[str, ...], warm_up_s: float) -> None:
    """Take pictures of the addon in an Odoo 17, which ODOO_PATH names: the lab's ISP, some of it in trouble."""
    console = Console(stderr=True)
    if find_chromium() is None:
        raise click.ClickException(MISSING)
    try:
        find_installation()
    except OdooMissing as missing:
        raise click.ClickException(str(missing)) from None
    pictures = [
        picture for picture in PICTURES if (picture.name in only if only else everything or picture.published)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with console.status("starting") as status, _running(status.update) as shown:
        complaints = take(shown, pictures, folder, warm_up_s, status.update)
    for picture in pictures:
        size = (folder / f"{picture.name}.png").stat().st_size
        console.print(f"{folder / picture.name}.png  {size / 1000:.0f} kB")
    if complaints:
        console.print("[red]The pages complained:[/]", *sorted(set(complaints)), sep="\n")
        raise SystemExit(1)


@contextlib.contextmanager
def _running(say: Callable[[str], None]) -> Iterator[Shown]:
    """Run the lab's ISP, mtd, Odoo and the bridge."""
    with tempfile.TemporaryDirectory(prefix="mtd-pictures-") as made, odoo_postgres() as postgres:
        place = Path(made)
        place.chmod(0o711)
        with running_stage(place, isp_plan(), say) as (stage, _):
            wait_for_first_polls(stage, POLLED_AT_LEAST, say)
            say("installing Odoo with the addon")
            odoo = Odoo(place / "odoo", find_installation(), postgres)
            odoo.install(_DATABASE, *BASE_MODULES, ADDON)
            operator = Person(_OPERATOR, (ADMIN, SUBSCRIBERS))
            company = Company(MAIN, token_of(stage.server, "default"), (operator,))
            ids = set_up(odoo, _DATABASE, stage.server, [company])
            odoo.shell(_DATABASE, _GIVE_SITES)
            with OdooServer(odoo, _DATABASE) as server, Bridge(odoo, _DATABASE):
                yield Shown(server.url, ids["devices"][SHOWN], lambda: make_trouble(stage))


# The lab's routers are called after what they are: each kind stands somewhere.
_GIVE_SITES = """
places = {"core": "Vienna, main POP", "edge": "Vienna, exchange", "bng": "Graz", "agg": "Linz", "access": "Steyr"}
env["res.company"].search([], order="id", limit=1).name = "Alpine Net"
for device in env["mikrotik.device"].search([]):
    name = places.get(device.name.rpartition("-")[0], "Salzburg")
    site = env["mikrotik.site"].search([("name", "=", name)]) or env["mikrotik.site"].create({"name": name})
    device.site_id = site
"""


def take(
    shown: Shown, pictures: list[Picture], folder: Path, warm_up_s: float, say: Callable[[str], None]
) -> list[str]:
    """Open a page for each picture, wait, take them; return what the pages complained about."""
    complaints: list[str] = []
    with chromium("--force-color-profile=srgb", "--font-render-hinting=none") as browser:
        gathering = [picture for picture in pictures if _is_live(picture)]
        opened = {picture.name: _open(browser, shown, picture, complaints) for picture in gathering}
        say(f"letting it run for {warm_up_s:.0f} s")
        shown.make_trouble()
        time.sleep(warm_up_s)  # noqa: TID251 - a script's own wait, no reactor here
        say("waiting until trouble shows")
        _wait_for_trouble(shown)
        for picture in pictures:
            say(f"taking {picture.name}")
            page = opened.get(picture.name) or _open(browser, shown, picture, complaints)
            page.bring_to_front()
            page.screenshot(path=folder / f"{picture.name}.png", animations="disabled")
            page.context.close()
    return complaints


def _is_live(picture: Picture) -> bool:
    """Return whether a page has gathered something while it was open, which going there again would lose."""
    return picture.go in (_live, _interfaces)


def _wait_for_trouble(shown: Shown) -> None:
    """Wait until Odoo knows of so many routers that they aren't up."""
    session = OdooSession(shown.url, _DATABASE)
    session.login(_OPERATOR, _OPERATOR)
    deadline = time.monotonic() + _TROUBLE_SHOWS_S
    not_up = [["status", "in", ["down", "degraded"]]]
    while session.call("mikrotik.device", "search_count", not_up) < _TROUBLED:
        if time.monotonic() > deadline:
            raise HarnessFailed(f"fewer than {_TROUBLED} routers are in trouble after {_TROUBLE_SHOWS_S} s")
        time.sleep(1)  # noqa: TID251


def _open(browser: Browser, shown: Shown, picture: Picture, complaints: list[str]) -> Page:
    width, height = picture.size
    phone = picture.size == PHONE
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=2 if phone else 1,
        is_mobile=phone,
        has_touch=phone,
        locale="en-GB",
        timezone_id="UTC",
    )
    page = context.new_page()
    page.set_default_timeout(_PATIENCE_MS)
    Record(page, shown.url, complaints, keep_messages=False)
    page.goto(f"{shown.url}/web/login")
    page.fill("input[name=login]", _OPERATOR)
    page.fill("input[name=password]", _OPERATOR)
    page.click("button[type=submit]")
    page.wait_for_selector(".o_main_navbar")
    picture.go(page, shown)
    return page


if __name__ == "__main__":
    main(prog_name="scripts/screenshots --odoo")
