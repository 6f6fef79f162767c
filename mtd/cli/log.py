"""``mtd log stats`` and ``mtd log verify``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from mtd.app.event_log import log_stats, verify_log
from mtd.app.log_room import CRITICAL, OK, WARNING, log_room
from mtd.cli.collector_status import forwarding_status, forwards, sent_to_hub
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

_COLOURS = {OK: "default", WARNING: "yellow", CRITICAL: "red"}


@click.group()
def log() -> None:
    """Look into the event log. The daemon may be running."""


@log.command()
@config_option
@json_option
@explain_errors
def stats(config_path: Path | None, as_json: bool) -> None:
    """Show how much the event log holds, how far its readers are, and how much room is left.

    What a reader still needs can't be trimmed. When it fills the quota, or the disk, nothing more
    can be written: lower tiers are polled less long before that (docs/pressure.md).
    """
    settings = load_settings(config_path)
    found = log_stats(settings)
    room = log_room(settings, found)
    if as_json:
        told = {"forwarding": forwarding_status(settings.daemon.data_dir)} if forwards(settings) else {}
        print_json({**dataclasses.asdict(found), "max_bytes": room.max_bytes, "room": room, **told})
        return
    table = Table("Event log", found.log_id)
    table.add_row("events", f"{found.first_seq} to {found.last_seq} ({found.events})")
    table.add_row("batches", str(found.batches))
    table.add_row("stored", f"{found.stored_bytes / 1e6:.1f} MB, {found.disk_bytes / 1e6:.1f} MB on disk")
    table.add_row(
        "still needed",
        f"[{_COLOURS[room.quota_state]}]{room.held_bytes / 1e6:.1f} of {room.max_bytes / 1e6:.0f} MB"
        f" ({100 * room.fill_ratio:.1f} %)[/]",
    )
    if room.disk_spare_bytes >= 0:
        spare = f"{room.disk_spare_bytes / 1e6:,.0f} MB"
        table.add_row("left on the disk", f"[{_COLOURS[room.disk_state]}]{spare}[/]")
    for name, position in sorted(found.consumers.items()):
        table.add_row(f"reader {name}", f"at {position}, {found.last_seq - position} behind")
    for name, text in sent_to_hub(settings):
        table.add_row(name, text)
    if found.warning:
        table.add_row("[red]NOT DURABLE[/]", f"[red]{plain(found.warning)}[/]")
    console.print(table)


@log.command()
@config_option
@click.option("--database", is_flag=True, help="Compare with what PostgreSQL holds, too.")
@json_option
@explain_errors
def verify(config_path: Path | None, database: bool, as_json: bool) -> None:
    """Examine every event of the log: none damaged, none missing, none doubled.

    With --database, look in PostgreSQL for what the log says must be there: values,
    polls, events, lines of logs and blocks of flows. Ends with code 1 if anything is wrong. Damage that mtd has found before, set aside and
    told of, is listed, and is nothing new.
    """
    settings = load_settings(config_path)
    with Progress(console=progress_console, transient=True, disable=as_json) as progress:
        task = progress.add_task("examining", total=None)
        report = verify_log(
            settings,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    result: dict[str, Any] = {
        "ok": report.ok,
        "log_id": report.log_id,
        "first_seq": report.first_seq,
        "last_seq": report.last_seq,
        "batches": report.batches,
        "events": report.events,
        "events_by_kind": dict(report.events_by_kind),
        "problems": report.problems,
        "set_aside": report.set_aside,
        "duration_s": round(report.duration_s, 3),
    }
    if database:
        from mtd.app.maintenance import compare_with_database

        comparison = compare_with_database(settings, report)
        result["database"] = comparison
        result["ok"] = report.ok and comparison.ok
    if as_json:
        print_json(result)
    else:
        verdict = "[green]good[/]" if result["ok"] else "[red]NOT good[/]"
        console.print(
            f"The log is {verdict}: {report.events} events in {report.batches} batches, {report.duration_s:.1f} s"
        )
        for problem in report.problems:
            console.print(
                f"  [red]{problem.kind}[/] at {problem.first_seq}-{problem.last_seq}: {plain(problem.detail)}"
            )
        for damage in report.set_aside:
            console.print(
                f"  [yellow]set aside[/] {damage.first_seq}-{damage.last_seq}: {plain(damage.detail)}"
            )
        if database:
            console.print(f"  PostgreSQL: {escape(result['database'].describe())}")
    if not result["ok"]:
        raise SystemExit(1)
