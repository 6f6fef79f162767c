"""``scripts/screenshots``: the console as it looks, on the lab's ISP, for README and docs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
from playwright.sync_api import Browser, Page
from rich.console import Console

from mtd.lab.control import LabControl
from mtd.testing.browser import MISSING, Record, chromium, find_chromium
from mtd.testing.end_to_end import Plan, running_stage, wait_for_first_polls
from mtd.testing.harness import Stage, free_port

Scheme = Literal["light", "dark"]

DEFAULT_FOLDER = Path("docs/images")
DESK, PHONE, WALL = (1440, 900), (390, 844), (2560, 1440)
# A router with much to see: links of all kinds, and one that flaps.
SHOWN = "edge-1"
# What goes wrong shortly before the pictures are taken: a list on which all is well says little.
TROUBLE: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("access-5", "black-hole", {}),
    ("bng-2", "cpu-high", {"load_pct": 97}),
    ("access-11", "slow", {"delay_s": 1.4}),
)
_TROUBLE_SHOWS_S = 60.0
# A minute of flows is shown when it is over.
_FLOWS_COME_S = 120.0
# One router of the scenario refuses its password, and one may be away.
POLLED_AT_LEAST = 20
_LOADED = "[data-testid=connection][data-phase=live]"


@dataclass(frozen=True, slots=True)
class Picture:
    """One file: what is on it, on which screen."""

    name: str
    go: Callable[[Page], None]
    size: tuple[int, int] = DESK
    scheme: Scheme = "light"
    published: bool = False
    """Whether README or docs show it; the others are for looking only."""


def _devices(page: Page) -> None:
    page.wait_for_selector("[data-testid=device-row]")


def _device(page: Page) -> None:
    page.get_by_role("searchbox").first.fill(SHOWN)
    page.get_by_role("link", name=SHOWN, exact=True).click()
    page.wait_for_selector("[data-testid=interface]")


def _events(page: Page) -> None:
    page.get_by_role("navigation").get_by_role("link", name="Events").click()
    page.wait_for_selector("[data-testid=event]")


def _flows(page: Page) -> None:
    page.get_by_role("navigation").get_by_role("link", name="Flows").click()
    page.get_by_role("button", name="15 min").click()
    page.wait_for_selector("[data-testid=flow-row]", timeout=_FLOWS_COME_S * 1000)


def _paths(page: Page) -> None:
    _flows(page)
    page.get_by_role("button", name="Paths").click()
    page.wait_for_selector("[data-testid=sankey]")
    page.get_by_test_id("kind").select_option("service")
    page.wait_for_selector("th:has-text('Protocol and port')")


def _drops(page: Page) -> None:
    page.get_by_role("navigation").get_by_role("link", name="Drops").click()
    page.wait_for_selector("[data-testid=exporter]")


def _self(page: Page) -> None:
    page.get_by_role("navigation").get_by_role("link", name="mtd").click()
    page.wait_for_selector("[data-testid=figure]")


PICTURES = (
    Picture("console-devices", _devices, published=True),
    Picture("console-device", _device, published=True),
    Picture("console-device-dark", _device, scheme="dark", published=True),
    Picture("console-phone", _devices, PHONE, published=True),
    Picture("console-flows", _flows, published=True),
    Picture("console-drops", _drops, published=True),
    Picture("console-mtd", _self, published=True),
    Picture("devices-dark", _devices, scheme="dark"),
    Picture("devices-wall", _devices, WALL, "dark"),
    Picture("device-wall", _device, WALL),
    Picture("device-phone", _device, PHONE, "dark"),
    Picture("events", _events),
    Picture("events-phone", _events, PHONE),
    Picture("flows-dark", _flows, scheme="dark"),
    Picture("flows-phone", _flows, PHONE),
    Picture("flows-wall", _flows, WALL, "dark"),
    Picture("paths", _paths),
    Picture("paths-dark", _paths, scheme="dark"),
    Picture("paths-phone", _paths, PHONE),
    Picture("drops-dark", _drops, scheme="dark"),
    Picture("drops-phone", _drops, PHONE),
    Picture("mtd-phone", _self, PHONE),
    Picture("mtd-dark", _self, scheme="dark"),
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
@click.option("--url", help="Photograph this console instead of one of the lab's.")
@click.option(
    "--warm-up",
    "warm_up_s",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    help="How long the pages are open before pictures are taken: sparklines and charts need a past.",
)
def main(folder: Path, everything: bool, only: tuple[str, ...], url: str | None, warm_up_s: float) -> None:
    """Take pictures of the console: the lab's ISP of 24 routers, some of them in trouble."""
    console = Console(stderr=True)
    if find_chromium() is None:
        raise click.ClickException(MISSING)
    pictures = [
        picture for picture in PICTURES if (picture.name in only if only else everything or picture.published)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with console.status("starting") as status, _running(url, status.update) as shown:
        complaints = take(shown, pictures, folder, warm_up_s, status.update)
    for picture in pictures:
        size = (folder / f"{picture.name}.png").stat().st_size
        console.print(f"{folder / picture.name}.png  {size / 1000:.0f} kB")
    if complaints:
        console.print("[red]The pages complained:[/]", *sorted(set(complaints)), sep="\n")
        raise SystemExit(1)


@dataclass(frozen=True, slots=True)
class Shown:
    """The console that is photographed, and how to make trouble there."""

    url: str
    make_trouble: Callable[[], None] | None = None


@contextmanager
def _running(url: str | None, say: Callable[[str], None]) -> Iterator[Shown]:
    if url is not None:
        yield Shown(url)
        return
    with tempfile.TemporaryDirectory(prefix="mtd-pictures-") as made:
        Path(made).chmod(0o711)
        plan = isp_plan()
        with running_stage(Path(made), plan, say) as (stage, _):
            wait_for_first_polls(stage, POLLED_AT_LEAST, say)
            yield Shown(stage.console_url, lambda: make_trouble(stage))


def isp_plan() -> Plan:
    """Return the ISP's routers, which send their logs and tell of flows."""
    syslog, flows = free_port(), free_port()
    sending = ("--own-addresses", "--syslog", f"127.0.0.1:{syslog}", "--flows", f"127.0.0.1:{flows}")
    listening: dict[str, Any] = {"enabled": True, "host": "127.0.0.1"}
    return Plan(
        seconds=0,
        lab_arguments=("--scenario", "isp", *sending, "--flow-form", "ipfix", "--flow-rate", "20"),
        settings={"syslog": {**listening, "udp_port": syslog}, "flows": {**listening, "ports": [flows]}},
        labels_of=_role,
    )


def make_trouble(stage: Stage) -> None:
    """Let some of the ISP's routers be in trouble."""
    with LabControl(**stage.lab_state()["control"]) as control:
        for router, kind, settings in TROUBLE:
            control.inject(router, kind, **settings)


def _role(name: str) -> dict[str, str]:
    return {"role": name.rpartition("-")[0]}


def take(
    shown: Shown, pictures: list[Picture], folder: Path, warm_up_s: float, say: Callable[[str], None]
) -> list[str]:
    """Open a page for each picture, wait, take them; return what the pages complained about."""
    complaints: list[str] = []
    with chromium("--force-color-profile=srgb", "--font-render-hinting=none") as browser:
        opened = [(picture, _open(browser, shown.url, picture, complaints)) for picture in pictures]
        say(f"letting it run for {warm_up_s:.0f} s")
        opened[0][1].wait_for_timeout(warm_up_s * 1000)
        if shown.make_trouble is not None:
            say("waiting until trouble shows")
            shown.make_trouble()
            _wait_for_trouble(browser, shown.url)
        for picture, page in opened:
            say(f"taking {picture.name}")
            page.bring_to_front()
            page.screenshot(path=folder / f"{picture.name}.png", animations="disabled")
    return complaints


def _wait_for_trouble(browser: Browser, url: str) -> None:
    """Wait until the list says of all these routers that something is wrong."""
    page = browser.new_page()
    page.goto(url)
    for router, _, _ in TROUBLE:
        row = page.locator(f"[data-testid=device-row][data-name='{router}']:not([data-status=up])")
        row.wait_for(timeout=_TROUBLE_SHOWS_S * 1000)
    page.close()


def _open(browser: Browser, url: str, picture: Picture, complaints: list[str]) -> Page:
    width, height = picture.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=picture.scheme,
        device_scale_factor=2 if picture.size == PHONE else 1,
        locale="en-GB",
        timezone_id="UTC",
    )
    page = context.new_page()
    Record(page, url.removesuffix("/console/"), complaints, keep_messages=False)
    page.goto(url)
    page.wait_for_selector(_LOADED)
    picture.go(page)
    return page


if __name__ == "__main__":
    main(prog_name="scripts/screenshots")
