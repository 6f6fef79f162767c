"""``mtd doctor``: whether this mtd is fit for production."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.table import Table

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
    from mtd.app.doctor.results import Check, Finding

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red", "not checked": "dim"}


@click.command()
@config_option
@json_option
@click.option("--quiet", "-q", is_flag=True, help="Show only what isn't as it should be.")
@explain_errors
def doctor(config_path: Path | None, as_json: bool, quiet: bool) -> None:
    """Look whether mtd is fit for production: the checklist before it goes live, and now and then after.

    \b
    pass          as it should be
    warn          it works, and should be better
    fail          don't go live like this; the command ends with code 1
    not checked   can't be seen from here, and why: look at it yourself

    Changes nothing. Run it as the daemon's user, on its machine, with its configuration. The daemon may be
    stopped: an embedded PostgreSQL is then started for the time, and what only the daemon knows isn't checked.
    docs/doctor.md explains each check.
    """
    from mtd.app.doctor.examine import examine

    settings = load_settings(config_path)
    with progress_console.status("examining") as status:

        def started(check: Check) -> None:
            status.update(f"examining: {check.title}")

        found = examine(settings, status.update, started)
    counts = Counter(one.verdict.value for one in found)
    if as_json:
        print_json({"ok": not counts["fail"], "counts": counts, "checks": found})
    else:
        _print([one for one in found if not quiet or one.verdict in ("warn", "fail")])
        words = ", ".join(
            f"[{colour}]{counts[word]} {word}[/]" for word, colour in _COLOURS.items() if counts[word]
        )
        console.print(words)
    if counts["fail"]:
        raise SystemExit(1)


def _print(found: Sequence[Finding]) -> None:
    table = Table("area", "check", "", "what was found, and how to mend it")
    area = ""
    for one in found:
        colour = _COLOURS[one.verdict]
        text = plain(one.found) + (f"\n[bold]Mend:[/] {plain(one.mend)}" if one.mend else "")
        table.add_row(
            plain(one.area) if one.area != area else "",
            f"{plain(one.title)} [dim]{plain(one.check)}[/]",
            f"[{colour}]{one.verdict}[/]",
            text,
        )
        area = one.area
    console.print(table)
