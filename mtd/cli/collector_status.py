"""``mtd collector status``: how the collector of this machine is."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from mtd.cli.config import load_settings
from mtd.cli.output import config_option, console, explain_errors, json_option, plain, print_json

if TYPE_CHECKING:
    from mtd.app.config import Settings

_OUTDATED_S = 30.0


@click.command("status")
@config_option
@json_option
@explain_errors
def status(config_path: Path | None, as_json: bool) -> None:
    """Show whether the hub takes what this collector sends, and what waits.

    Run it on the machine of the collector, with its configuration. Ends with code 1 while the hub
    can't be reached, or if the collector doesn't run.
    """
    found = forwarding_status(load_settings(config_path).daemon.data_dir)
    if as_json:
        print_json(found)
    else:
        console.print(_table(found))
    if not (found["connected"] and found["running"]):
        raise SystemExit(1)


def forwarding_status(data_dir: Path) -> dict[str, Any]:
    """Return what the collector wrote about itself, and whether it still runs. Raises ClickException if there is nothing."""
    from mtd.app.folder import STATUS_FILE

    path = data_dir / STATUS_FILE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        written = path.stat().st_mtime
    except (OSError, ValueError):
        raise click.ClickException(
            f"{path} can't be read: is daemon.role collector there, and was the collector started with this configuration?"
        ) from None
    age_s = max(0.0, time.time() - written)
    return {
        **found,
        "running": (data_dir / "runtime.json").exists() and age_s < _OUTDATED_S,
        "age_s": round(age_s, 1),
    }


def forwards(settings: Settings) -> bool:
    """Return whether a collector of this configuration has told how forwarding is."""
    from mtd.app.folder import STATUS_FILE

    return settings.daemon.role == "collector" and (settings.daemon.data_dir / STATUS_FILE).exists()


def sent_to_hub(settings: Settings) -> list[tuple[str, str]]:
    """Return what a table of a log says of what is sent; nothing where nothing is."""
    if not forwards(settings):
        return []
    found = forwarding_status(settings.daemon.data_dir)
    state = "takes events" if found["connected"] else "takes nothing"
    return [
        ("at the hub", f"all up to {found['stored_seq']}, {found['buffer_events']} behind; it {state}"),
        *(
            (f"lane {name}", f"at {found[name]['next_seq']}, {found[name]['events']} wait")
            for name in ("live", "backfill")
        ),
    ]


def _table(found: dict[str, Any]) -> Table:
    table = Table("Collector", "[green]runs[/]" if found["running"] else "[red]doesn't run[/]")
    version = f", mtd {found['hub_version']}" if found["hub_version"] else ""
    state = "[green]takes events[/]" if found["connected"] else "[red]takes nothing[/]"
    table.add_row("hub", f"{plain(found['hub'])}{plain(version)}: {state} since {_time(found['since_us'])}")
    if found["failure"]:
        table.add_row("because", plain(found["failure"]))
    table.add_row("last push", _time(found["last_push_us"]))
    table.add_row("buffer", f"{found['buffer_events']:,} events wait{_since(found['oldest_unsent_us'])}")
    for name in ("live", "backfill"):
        lane = found[name]
        table.add_row(
            f"lane {name}",
            f"at {lane['next_seq']}, {lane['events']:,} wait, the oldest for {lane['seconds']:.0f} s",
        )
    table.add_row(
        "log", f"events {found['first_seq']} to {found['last_seq']}, kept from {found['kept_from']} on"
    )
    table.add_row("not in the hub's database", f"{found['unprojected']:,} events")
    return table


def _time(at_us: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at_us / 1e6)) if at_us else "never"


def _since(at_us: int) -> str:
    return f", the oldest of {_time(at_us)}" if at_us else ""
