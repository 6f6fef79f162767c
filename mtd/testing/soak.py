"""``scripts/soak``: hours of use in minutes. Does anything grow?

What grows does so with messages, visits and connections; so these are what is
hurried, and the clock of the wall is not waited for.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from playwright.sync_api import Browser, CDPSession, Page
from rich.console import Console
from rich.table import Table

from mtd.client import MtdClient
from mtd.testing.browser import MISSING, Footprint, Record, chromium, find_chromium
from mtd.testing.crowd import Crowd
from mtd.testing.end_to_end import Plan, running_stage, wait_for_first_polls
from mtd.testing.endurance.command import daemon
from mtd.testing.harness import Stage, memory_of
from mtd.testing.replay import Replay, Tape, record, slope_per_step

Say = Callable[[str], None]

HOUR_S = 3600
SHOWN = "core-1"
# Rings of charts and sparklines, lists of events and what is compiled late are full after an hour.
WARM_UP_SHARE = 1 / 8
# Seventy bytes kept of each of 28,800 messages would be more than this.
HEAP_LIMIT_BYTES = 2_000_000
NODES_LIMIT, LISTENERS_LIMIT = 500, 50
# The allocator gives back late: a megabyte or two are noise, a hundred bytes a message are not.
DAEMON_LIMIT_BYTES = 4_000_000
# It finds its size in minutes of the wall's clock, which isn't hurried: pools of the threads that encode,
# of the busiest second so far. Python's own memory is level after two minutes (traced: 0.6 MB in the next
# three, all of it the newest 512 events). What leaks goes on in the second half.
DAEMON_SETTLES_SHARE = 1 / 2
# Some routers of the scenario can't be reached, by intent.
POLLED_AT_LEAST = 20
RECONNECT_EVERY_S = 30 * 60
WANDER_EVERY_S = 2 * 60
ROUTES = (f"device:{SHOWN}", "#/devices", "#/events", "#/mtd", "#/devices?q=access", "#/devices")
# The newest part of the event log is kept in memory, up to a limit: it shall be full when the warm-up ends.
_SETTINGS: dict[str, dict[str, Any]] = {
    "scheduler.intervals_s": {"t0": 0.25},
    "event_log": {"tail_bytes": 2 * 1024 * 1024},
}
RENDERED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


@dataclass(frozen=True, slots=True)
class Length:
    """How much is played: so many seconds, so many of them at once, measured so often."""

    seconds: int
    batch: int
    samples: int
    tape_s: int
    viewers: int
    reconnect_every_s: float = RECONNECT_EVERY_S
    wander_every_s: float = WANDER_EVERY_S


@dataclass(slots=True)
class Seat:
    """One page and what it held at each sample."""

    name: str
    page: Page
    session: CDPSession
    samples: list[Footprint] = field(default_factory=list)

    def figures(self) -> dict[str, float]:
        """Return what it held and by how much that grew after the warm-up."""
        kept = self.samples[max(1, int(len(self.samples) * WARM_UP_SHARE)) :]
        heap = [float(one.heap_bytes) for one in kept]
        return {
            "heap_mb": round(heap[-1] / 1e6, 2),
            "heap_growth_kb": round(grown(heap) / 1e3, 1),
            "nodes": kept[-1].nodes,
            "nodes_growth": round(grown([float(one.nodes) for one in kept]), 1),
            "listeners": kept[-1].listeners,
            "listeners_growth": round(grown([float(one.listeners) for one in kept]), 1),
        }


def grown(values: list[float]) -> float:
    """Return by how much a series grew from its beginning to its end, by the line through it."""
    return slope_per_step(values) * (len(values) - 1)


class _DaemonByDefault(click.Group):
    """``scripts/soak --hours 1`` is ``scripts/soak daemon --hours 1``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].startswith("--") and args[0] not in ctx.help_option_names:
            args = ["daemon", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_DaemonByDefault, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Use mtd for hours, or for hours in minutes, and look whether anything grows."""


main.add_command(daemon)


@main.command()
@click.option("--hours-equivalent", "hours", type=click.FloatRange(min=0.5), default=8.0, show_default=True)
@click.option(
    "--viewers",
    type=click.IntRange(1, 240),
    default=80,
    show_default=True,
    help="Consoles open on the daemon meanwhile: 80 for six minutes get what one gets in eight hours.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
def console(hours: float, viewers: int, as_json: bool) -> None:
    """Leave the console open.

    Pages in chromium are sent a recorded minute of the lab's ISP again and
    again, several seconds at once, with all its times moved on: a list, a
    router's page, and one that goes from page to page. The connection is lost
    every half hour. Meanwhile the daemon itself serves many viewers, who come
    back all the time, and polls its routers four times a second.
    """
    screen = Console(stderr=True)
    if find_chromium() is None:
        raise click.ClickException(MISSING)
    length = Length(int(hours * HOUR_S), batch=10, samples=33, tape_s=60, viewers=viewers)
    with screen.status("starting") as status, tempfile.TemporaryDirectory(prefix="mtd-soak-") as folder:
        Path(folder).chmod(0o711)
        plan = Plan(
            seconds=0,
            lab_arguments=("--scenario", "isp"),
            settings=_SETTINGS,
        )
        with running_stage(Path(folder), plan, status.update) as (stage, _):
            wait_for_first_polls(stage, POLLED_AT_LEAST, status.update)
            figures = soak(stage, length, status.update)
    problems = judge(figures)
    _report(screen, figures, problems, as_json=as_json)
    if problems:
        raise SystemExit(1)


def soak(stage: Stage, length: Length, say: Say) -> dict[str, Any]:
    """Play so much on a running stage; return the figures."""
    with MtdClient(stage.server) as client:
        ids = {device.name: device.id for device in client.list_devices() if device.enabled}
    shown = ids.get(SHOWN) or ids[min(ids)]
    view = {"devices": list(ids.values()), "detail": shown, "rank": True, "events": "all", "self": True}
    live = stage.console_url.replace("http", "ws", 1) + "live"
    say(f"recording the live channel for {length.tape_s} s")
    tape = record(live, view, length.tape_s)
    started = time.monotonic()
    with (
        Replay(stage.console_url.removesuffix("/console/"), tape) as replay,
        Crowd(live, view, length.viewers, reconnect_every_s=60) as crowd,
        chromium() as browser,
    ):
        figures = _play(_Hall(stage, replay, tape, browser, shown), length, say)
        figures |= {"viewers": length.viewers, "viewer_messages": crowd.messages}
        figures |= {"viewer_values": crowd.values, "viewer_connections": crowd.connections}
    return {**figures, "viewer_problems": crowd.problems, "took_s": round(time.monotonic() - started, 1)}


@dataclass(slots=True)
class _Hall:
    stage: Stage
    replay: Replay
    tape: Tape
    browser: Browser
    shown: str
    complaints: list[str] = field(default_factory=list)

    def seat(self, name: str, route: str) -> Seat:
        context = self.browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        Record(page, self.replay.origin, self.complaints, keep_messages=False)
        page.goto(f"{self.replay.origin}/console/{self.address(route)}")
        page.locator("#main").wait_for()
        return Seat(name, page, context.new_cdp_session(page))

    def go(self, page: Page, route: str) -> None:
        page.evaluate("(hash) => { location.hash = hash; }", self.address(route))

    def bring_home(self, page: Page) -> None:
        """Go where it is measured: what a page holds depends on what it shows."""
        self.go(page, "#/devices")
        # A locator: wait_for_selector would return the row, and keep it and its page alive.
        page.locator("[data-testid=device-row]").first.wait_for()
        page.evaluate(RENDERED)

    def daemon_bytes(self) -> float:
        assert self.stage.daemon is not None
        return float(memory_of(self.stage.daemon.pid))

    def address(self, route: str) -> str:
        return f"#/devices/{self.shown}" if route.startswith("device:") else route


def _play(hall: _Hall, length: Length, say: Say) -> dict[str, Any]:
    seats = [hall.seat("list", "#/devices"), hall.seat("router", ROUTES[0]), hall.seat("wanderer", ROUTES[0])]
    wanderer = seats[-1].page
    daemon: list[float] = []
    visits = reconnects = 0
    every = length.seconds // (length.samples - 1)
    due = {"sample": 0.0, "wander": length.wander_every_s, "reconnect": length.reconnect_every_s}
    for second in range(0, length.seconds + 1, length.batch):
        hall.replay.play(length.batch)
        for seat in seats:
            seat.page.evaluate(RENDERED)
        if second >= due["wander"]:
            due["wander"] += length.wander_every_s
            visits += 1
            wanderer.evaluate(
                "(hash) => { location.hash = hash; }", hall.address(ROUTES[visits % len(ROUTES)])
            )
        if second >= due["reconnect"]:
            due["reconnect"] += length.reconnect_every_s
            reconnects += 1
            hall.replay.drop_connections()
            _wait_for_pages(hall, seats)
        if second >= due["sample"]:
            due["sample"] += every
            hall.bring_home(wanderer)
            for seat in seats:
                seat.samples.append(Footprint.of(seat.session))
            daemon.append(hall.daemon_bytes())
            say(f"{second / HOUR_S:.1f} of {length.seconds / HOUR_S:.1f} hours played")
    return {
        "hours": round(length.seconds / HOUR_S, 2),
        "page_messages": hall.replay.sent,
        "visits": visits,
        "reconnects": reconnects,
        "complaints": sorted(set(hall.complaints)),
        "pages": {seat.name: seat.figures() for seat in seats},
        **_daemon_figures(daemon),
    }


def _wait_for_pages(hall: _Hall, seats: list[Seat]) -> None:
    deadline = time.monotonic() + 60
    while hall.replay.viewers < len(seats):
        if time.monotonic() > deadline:
            raise click.ClickException("the pages did not connect again within a minute")
        for seat in seats:
            seat.page.wait_for_timeout(50)


def _daemon_figures(samples: list[float]) -> dict[str, Any]:
    kept = samples[max(1, int(len(samples) * DAEMON_SETTLES_SHARE)) :]
    return {
        "daemon_samples_mb": [round(sample / 1e6) for sample in samples],
        "daemon_mb": round(kept[-1] / 1e6, 1),
        "daemon_growth_mb": round(grown(kept) / 1e6, 2),
    }


def judge(figures: dict[str, Any]) -> list[str]:
    """Return what grew, or went wrong."""
    limits = {
        "heap_growth_kb": HEAP_LIMIT_BYTES / 1e3,
        "nodes_growth": NODES_LIMIT,
        "listeners_growth": LISTENERS_LIMIT,
    }
    problems: list[str] = [
        f"{name}: {figure} is {page[figure]}, must be at most {limit:g}"
        for name, page in figures["pages"].items()
        for figure, limit in limits.items()
        if page[figure] > limit
    ]
    if figures["daemon_growth_mb"] > DAEMON_LIMIT_BYTES / 1e6:
        problems.append(f"the daemon grew by {figures['daemon_growth_mb']} MB")
    return [*problems, *figures["complaints"], *figures["viewer_problems"]]


def _report(screen: Console, figures: dict[str, Any], problems: list[str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(figures))
    table = Table("Figure", "Measured")
    for name, value in figures.items():
        if name == "pages":
            for page, found in value.items():
                table.add_row(page, ", ".join(f"{key} {number}" for key, number in found.items()))
        else:
            table.add_row(name, str(value))
    screen.print(table)
    screen.print("[green]Nothing grows.[/]" if not problems else "[red]" + "\n".join(problems) + "[/]")


if __name__ == "__main__":
    main(prog_name="scripts/soak")
