"""``scripts/demo``: lab routers, the daemon and its PostgreSQL, watched live and checked against the truth."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import webbrowser
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from mtd.client import MtdClient
from mtd.testing.end_to_end import Plan, measure, running_stage, wait_for_first_polls
from mtd.testing.harness import HarnessFailed, Stage

_LIMITS = {
    "coverage_pct": (">=", 99.5),
    "t0_age_p95_s": ("<=", 2.0),
    "t0_age_p99_s": ("<=", 5.0),
    "rate10_error_max_pct": ("<=", 0.5),
    "rate1_error_p99_pct": ("<=", 2.0),
    "counter_errors": ("<=", 0),
    "cpu_errors": ("<=", 0),
    "dropped": ("<=", 0),
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--seconds",
    type=click.FloatRange(min=15),
    help="Measure so long, print figures, end. Default: run until Ctrl-C.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print the figures as one line of JSON, the last on standard output.",
)
@click.option(
    "--scenario",
    metavar="NAME|FILE",
    help="Scenario of the lab; see `mtd lab --list`. Default: isp, with --seconds demo.",
)
@click.option(
    "--edges",
    type=click.IntRange(min=0, max=20),
    default=0,
    help="So many collectors poll for the daemon, which is their hub. Not with --seconds.",
)
@click.option("--browser/--no-browser", default=True, help="Open the console, if this machine has a screen.")
@click.option("--keep", is_flag=True, help="Keep the demo's folder with configuration, logs and data.")
def main(
    seconds: float | None, as_json: bool, scenario: str | None, edges: int, browser: bool, keep: bool
) -> None:
    """Show mtd at work on simulated routers: no router, no database server, nothing to configure.

    Starts lab routers (RouterOS 6 and 7), the daemon and a PostgreSQL of its
    own in a temporary folder, all on loopback, polls every second, and tells
    where the console is: a page to look at. With --seconds it compares
    what arrived in PostgreSQL and on the gRPC stream with what the routers
    truly did, and ends with code 0 if all is well.
    """
    if edges and seconds is not None:
        raise click.UsageError("--edges is to be looked at: leave --seconds away")
    console = Console(stderr=True)
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A closed window and `kill` end it as Ctrl-C does: nothing stays behind.
        signal.signal(ending, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="mtd-demo-"))
    folder.chmod(0o711)
    chosen = scenario or ("isp" if seconds is None else "demo")
    # To be looked at, it is as users have it; to be compared with the truth, all is read each second.
    settings = {"t0": {"interfaces": 10}} if seconds is None else {}
    plan = Plan(
        seconds=seconds or 0,
        lab_arguments=("--scenario", chosen),
        settings=settings,
        labels_of=_labels,
        edges=edges,
    )
    figures: dict[str, Any] | None = None
    try:
        with (
            console.status("starting") as status,
            running_stage(folder, plan, status.update) as (stage, state),
        ):
            if seconds is None:
                # Those that don't let us in are part of the picture: nothing is waited for.
                status.stop()
                _explain(console, stage, len(state["endpoints"]))
                if browser and _has_screen():
                    webbrowser.open(stage.console_url)
                _watch(stage)
            else:
                wait_for_first_polls(stage, len(state["endpoints"]), status.update)
                figures = measure(stage, plan, status.update)
    except HarnessFailed as failure:
        console.print(f"[red]{failure}[/]\nEverything is kept in {folder}")
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        console.print("stopped")
    _clean(console, folder, keep)
    if figures is not None:
        problems = _problems(figures)
        _report(console, figures, problems)
        if as_json:
            click.echo(_line(figures))
        if problems:
            raise SystemExit(1)
    elif seconds is not None:
        raise SystemExit(130)


def _interrupt(*_: object) -> None:
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)  # once is enough: what was started is being ended
    raise KeyboardInterrupt


def _labels(name: str) -> dict[str, str]:
    """Return labels as an operator would give them: the role is the first part of the name."""
    return {"role": name.rpartition("-")[0] or name}


def _has_screen() -> bool:
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _explain(console: Console, stage: Stage, routers: int) -> None:
    console.print(
        f"""
[bold]mtd is polling {routers} simulated routers every second. Look at them:[/]

  [bold cyan]{stage.console_url}[/]

If this is a remote machine: ssh -L {stage.http_port}:127.0.0.1:{stage.http_port} HOST, then open it at home.
Something is always going on: links flap, routers get busy, go away and come back; one refuses its password.

In another terminal, in this folder:

  . .venv/bin/activate; export MTD_SERVER={stage.server} MTD_CONFIG={stage.config_path}{_more(stage)}
  mtd watch -d core-1 -m 'iface.*bps'     traffic of one router
  mtd device list                         the inventory
  mtd events -f                           what happens
  mtd query core-1 'iface.*.rx_bps'       what is stored
  mtd storage status                      how much that is
{_edges_lines(stage)}  curl http://127.0.0.1:{stage.http_port}/metrics     mtd's own metrics
  psql "{stage.dsn()}"

Ctrl-C ends everything and leaves nothing behind.
""",
        soft_wrap=True,
        highlight=False,
    )


def _more(stage: Stage) -> str:
    return "" if stage.door_ca_file is None else f" MTD_CA_FILE={stage.door_ca_file}"


def _edges_lines(stage: Stage) -> str:
    if stage.door_ca_file is None:
        return ""
    return (
        "  mtd collector list                      who polls, and how many each\n"
        f"  mtd collector status --config {stage.folder}/edge-1/mtd.toml\n"
        "  kill -9 a collector: another one polls its routers within seconds\n"
    )


def _watch(stage: Stage) -> None:
    from mtd.cli.watch import SUMMARY, Screen, summary_table

    with MtdClient(stage.server, ca_file=stage.door_ca_file) as client, Screen(summary_table) as screen:
        for sample in client.watch(metrics=SUMMARY, on_gone=screen.forget):
            screen.show(sample)


def _problems(figures: dict[str, Any]) -> list[str]:
    """Return which figures miss their limits. One that could not be measured does."""
    return [
        f"{name} is {figures[name]}, must be {sign} {limit}"
        for name, (sign, limit) in _LIMITS.items()
        if figures[name] is None or (figures[name] < limit if sign == ">=" else figures[name] > limit)
    ]


def _report(console: Console, figures: dict[str, Any], problems: list[str]) -> None:
    table = Table("Figure", "Measured", "Limit")
    for name in (
        "routers",
        "interfaces",
        "polls",
        "polls_due",
        "points",
        "points_due",
        "skipped",
        "discarded",
        "counters_checked",
    ):
        table.add_row(name, f"{figures[name]:,}", "")
    for name, (sign, limit) in _LIMITS.items():
        table.add_row(name, f"{figures[name]}", f"{sign} {limit:g}")
    for name, used in figures["processes"].items():
        table.add_row(f"{name}: CPU, memory", f"{used['cpu_pct']} %, {used['rss_mb']} MB", "")
    console.print(table)
    console.print("[green]All is well.[/]" if not problems else "[red]" + "\n".join(problems) + "[/]")


def _line(figures: dict[str, Any]) -> str:
    import json

    return json.dumps(figures)


def _clean(console: Console, folder: Path, keep: bool) -> None:
    if keep:
        console.print(f"kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(prog_name="scripts/demo")
