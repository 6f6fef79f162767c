"""``mtd storage compact``: a round of the compaction, watched."""

from __future__ import annotations

import datetime as dt
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mtd.cli.config import load_settings
from mtd.cli.output import (
    config_option,
    console,
    explain_errors,
    json_option,
    plain,
    print_json,
    progress_console,
)

if TYPE_CHECKING:
    from mtd.app.compacting import CompactionReport


@click.command()
@config_option
@json_option
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"]),
    help="Compact hours that ended by this UTC time. Default: five minutes ago, or what the configuration says.",
)
@explain_errors
def compact(config_path: Path | None, as_json: bool, until: dt.datetime | None) -> None:
    """Turn closed hours of telemetry into blocks now, as fast as it goes.

    The daemon does this by itself, and may be running: the two take turns.
    Ctrl-C ends it after the hour of a device that it is at; nothing is lost, and the next
    round goes on from there.
    """
    settings = load_settings(config_path)
    from mtd.app.compacting import compact_database

    until_us = None if until is None else int(until.replace(tzinfo=dt.UTC).timestamp()) * 1_000_000
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=stop.set).start()  # the handler may have interrupted a wait for the same lock

    before = signal.signal(signal.SIGINT, end)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=progress_console, transient=True, disable=as_json) as progress:
            task = progress.add_task("looking for closed hours", total=None)

            def show(what: str, done: int, total: int) -> None:
                progress.update(task, description=what, completed=done, total=total)

            report = compact_database(settings, show, stop, until_us)
    finally:
        signal.signal(signal.SIGINT, before)
    if as_json:
        print_json(_fields(report))
    else:
        _print(report)
    if report.failures:
        raise SystemExit(1)


def _fields(report: CompactionReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in report.__slots__}


def _print(report: CompactionReport) -> None:
    if report.units:
        pace = report.points / report.duration_s if report.duration_s else 0
        console.print(
            f"[green]{report.units} hour(s)[/] of devices are blocks now: {report.frames:,} polls with"
            f" {report.points:,} values, {pace:,.0f} values/s."
        )
    else:
        console.print("No closed hour was left to compact.")
    for count, what in (
        (report.late, "hour(s) were merged with what came late"),
        (report.repeated, "poll(s) held what was stored already"),
        (report.hours_dropped, "emptied partition(s) are gone"),
        (report.days_merged, "rollup row(s) hold whole days"),
        (report.recoded, "block(s) are dense now"),
    ):
        if count:
            console.print(f"{count:,} {what}.")
    if report.waiting:
        console.print(f"[yellow]{report.waiting} hour(s) are left[/] for the next round.")
    if report.unknown_frames:
        console.print(
            f"[yellow]{report.unknown_frames:,} frame(s) stay[/]: their layouts were never declared"
            f" ({', '.join(report.unknown)})."
        )
    for failure in report.failures:
        console.print(f"[red]{plain(failure)}[/]")
