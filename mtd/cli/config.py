"""``mtd check`` and ``mtd config dump``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mtd.app.config import Settings
from mtd.app.preflight import problems_of
from mtd.cli.output import config_option, console, json_option, plain, print_json
from mtd.core.config import ConfigInvalid, ConfigProblem, load_config


def load_settings(path: Path | None) -> Settings:
    """Load the configuration, or end the command with every problem in it."""
    try:
        return load_config(Settings, path)
    except ConfigInvalid as invalid:
        lines = "\n".join(f"  {problem}" for problem in invalid.problems)
        raise click.ClickException(f"the configuration can't be used:\n{lines}") from None


@click.command()
@config_option
@json_option
def check(config_path: Path | None, as_json: bool) -> None:
    """Check the configuration, and the files that it names; report every error at once.

    Ends with code 0 if the daemon would accept it. Nothing is started or changed.
    """
    problems: Sequence[ConfigProblem]
    folder = ""
    try:
        settings = load_config(Settings, config_path)
        problems, folder = problems_of(settings), str(settings.daemon.data_dir)
    except ConfigInvalid as invalid:
        problems = invalid.problems
    if as_json:
        print_json({"ok": not problems, "problems": problems})
        if problems:
            raise SystemExit(1)
    elif problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise click.ClickException(f"{len(problems)} problem(s):\n{lines}")
    else:
        console.print(f"[green]The configuration is good.[/] Data folder: {plain(folder)}")


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@config_option
@click.option("--json", "_as_json", is_flag=True, help="Print JSON, as it does anyway.")
def dump(config_path: Path | None, _as_json: bool) -> None:
    """Print the configuration in force, defaults included, as JSON. Secrets are left out."""
    print_json(load_settings(config_path).model_dump(mode="json"))
