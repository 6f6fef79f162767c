"""``scripts/bench``: how fast it is, measured from outside, on this machine."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from mtd.testing.end_to_end import Plan, measure, running_stage
from mtd.testing.harness import HarnessFailed


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure mtd. Figures hold for the machine they were taken on."""


@main.command()
@click.option(
    "--routers", type=click.IntRange(1, 20_000), default=1000, show_default=True, help="Lab routers."
)
@click.option(
    "--interfaces", type=click.IntRange(1, 4000), default=30, show_default=True, help="Of each router."
)
@click.option(
    "--seconds", type=click.FloatRange(min=15), default=60.0, show_default=True, help="How long to measure."
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one line of JSON.")
@click.option("--keep", is_flag=True, help="Keep the folder with logs and data.")
def end2end(routers: int, interfaces: int, seconds: float, as_json: bool, keep: bool) -> None:
    """Lab, daemon and PostgreSQL together: every counter of every interface, each second.

    All of it goes router, session, log, PostgreSQL and gRPC stream; one client
    reads the whole stream. What is stored is compared with what the routers
    truly did, for up to 50 of them.
    """
    console = Console(stderr=True)
    folder = Path(tempfile.mkdtemp(prefix="mtd-bench-"))
    folder.chmod(0o711)
    plan = Plan(
        seconds=seconds,
        lab_arguments=("--scenario", "fleet", "--routers", str(routers), "--interfaces", str(interfaces)),
    )
    try:
        with console.status("starting") as status, running_stage(folder, plan, status.update) as (stage, _):
            figures = measure(stage, plan, status.update)
    except HarnessFailed as failure:
        console.print(f"[red]{failure}[/]\nEverything is kept in {folder}")
        raise SystemExit(1) from None
    if keep:
        console.print(f"kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    if as_json:
        click.echo(json.dumps(figures))
    else:
        _show(console, figures)


def _show(console: Console, figures: dict[str, Any]) -> None:
    table = Table("Figure", "Measured")
    for name, value in figures.items():
        if isinstance(value, dict):
            for inner, detail in value.items():
                table.add_row(f"{name} {inner}", str(detail))
        else:
            table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    console.print(table)


if __name__ == "__main__":
    main(prog_name="scripts/bench")
