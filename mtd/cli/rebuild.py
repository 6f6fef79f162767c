"""``mtd rebuild NAME``: a projection made again from the event log."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import Progress

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
from mtd.cli.reactor import run_on_reactor


@click.command()
@click.argument("name")
@config_option
@json_option
@explain_errors
def rebuild(name: str, config_path: Path | None, as_json: bool) -> None:
    """Make what the projection NAME keeps in PostgreSQL again, from the event log.

    NAME: telemetry, latest, events, tables or snapshots. Stop the daemon first.
    Rows of events that the log doesn't have any more stay as they are, and so do blocks of closed hours:
    what is made again is merged with them.
    """
    settings = load_settings(config_path)
    from mtd.app.rebuild import rebuild_projection

    with Progress(console=progress_console, transient=True, disable=as_json) as progress:
        task = progress.add_task("opening", total=None)

        def report(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        def warn(text: str) -> None:
            progress_console.print(f"[yellow]Note:[/] {plain(text)}.")

        result = run_on_reactor(rebuild_projection(settings, name, report, warn))
    if result is None:
        raise click.ClickException("interrupted: start the daemon, which goes on where this ended")
    if as_json:
        print_json(result)
    else:
        console.print(
            f"[green]{result.projection} is rebuilt[/] from the events {result.first_seq} to {result.last_seq}"
            f" in {result.duration_s:.1f} s."
        )
