"""``mtd check`` and ``mtd config dump``."""

from __future__ import annotations

from pathlib import Path

import click

from mtd.app.config import Settings
from mtd.cli.output import config_option, console, json_option, print_json
from mtd.core.config import ConfigInvalid, load_config


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
    """Check the configuration; report every error at once.

    Ends with code 0 if the daemon would accept it. Nothing is started or changed.
    """
    try:
        settings = load_config(Settings, config_path)
    except ConfigInvalid as invalid:
        if as_json:
            print_json({"ok": False, "problems": invalid.problems})
            raise SystemExit(1) from None
        lines = "\n".join(f"  {problem}" for problem in invalid.problems)
        raise click.ClickException(f"{len(invalid.problems)} problem(s):\n{lines}") from None
    if as_json:
        print_json({"ok": True, "problems": []})
    else:
        console.print(f"[green]The configuration is good.[/] Data folder: {settings.daemon.data_dir}")


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@config_option
def dump(config_path: Path | None) -> None:
    """Print the configuration in force, defaults included, as JSON. Secrets are left out."""
    print_json(load_settings(config_path).model_dump(mode="json"))
