"""``mtd backfill``: months of generated history."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mtd.app.backfill import Wanted
from mtd.app.backfill import backfill as run_backfill
from mtd.backfill.fill import Existing
from mtd.cli.config import load_settings
from mtd.cli.output import config_option, console, explain_errors, json_option, print_json, progress_console
from mtd.model.device import DEFAULT_TENANT_ID


@click.command()
@click.argument("devices", nargs=-1)
@click.option("--all", "all_devices", is_flag=True, help="All devices of the inventory.")
@click.option(
    "--generate",
    "generated",
    type=click.IntRange(0, 10_000),
    default=0,
    metavar="N",
    help="Add N devices to the inventory, switched off, and fill these.",
)
@click.option(
    "--interfaces",
    type=click.IntRange(1, 1000),
    default=30,
    show_default=True,
    help="Of each device whose interfaces aren't known.",
)
@click.option(
    "--tenant",
    default=DEFAULT_TENANT_ID,
    help="Whose devices, by name or id. Default: those of the first tenant.",
)
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="How far back.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same history.")
@click.option("--dense", is_flag=True, help="Write dense blocks, which only mtd reads.")
@click.option(
    "--existing",
    type=click.Choice([str(choice) for choice in Existing]),
    default=str(Existing.REFUSE),
    show_default=True,
    help="Hours of which something is stored: write nothing at all, keep them, or delete all telemetry of their"
    " devices over these days first.",
)
@click.option(
    "--yes", is_flag=True, help="Don't ask before telemetry of devices of the inventory is deleted."
)
@config_option
@json_option
@explain_errors
def backfill(
    devices: tuple[str, ...],
    existing: str,
    yes: bool,
    config_path: Path | None,
    as_json: bool,
    **options: bool | int | str,
) -> None:
    """Write generated history of DEVICES, as if they had been polled each second for months.

    For demos, tests and measuring: traffic by the time of the day, outages,
    reboots, missing values. It is invented, and stored as if it weren't: don't
    do this where people rely on what they see.

    \b
    mtd backfill --generate 3                             devices of its own, switched off
    mtd backfill core-1 core-2 --days 30 --existing keep  around what was really polled
    mtd backfill --all --days 7 --seed 5 -c etc/mtd.toml
    """
    settings = load_settings(config_path)
    wanted = Wanted(names=devices, existing=Existing(existing), **options)  # type: ignore[arg-type]
    if wanted.existing is Existing.REPLACE and not yes:
        _ask(wanted)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=progress_console, transient=True, disable=as_json) as progress:
        task = progress.add_task("starting", total=None, speed="")

        def advance(points: int, due: int) -> None:
            elapsed = progress.tasks[0].elapsed or 1.0
            progress.update(
                task, completed=points, total=max(due, points), speed=f"{points / elapsed / 1e6:.2f} M/s"
            )

        def report(what: str) -> None:
            progress.update(task, description=what)

        filled = run_backfill(settings, wanted, report, advance)
    if as_json:
        print_json(filled)
        return
    kept = f"; {filled.hours_kept} hours were kept" if filled.hours_kept else ""
    console.print(
        f"[green]{filled.points:,} points[/] in {filled.duration_s:.1f} s,"
        f" {filled.points_per_s / 1e6:.2f} M a second{kept}."
    )


def _ask(wanted: Wanted) -> None:
    """Ask before telemetry is deleted that may have been polled; what was generated anyway may go."""
    if not (wanted.names or wanted.all_devices):
        return
    whose = ", ".join(wanted.names) or "all devices of the inventory"
    what = f"all telemetry of {whose} over the last {wanted.days} days and what else is of the first of them"
    if not _can_ask():
        raise click.UsageError(f"--existing replace would delete {what}: say --yes if that is meant")
    click.confirm(f"This deletes {what}, what was really polled included. Go on?", abort=True, err=True)


def _can_ask() -> bool:
    return sys.stdin.isatty()
