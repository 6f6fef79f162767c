"""What commands share: where output goes, and how errors end a command."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click
from rich.console import Console
from rich.markup import escape

from mtd.cli.connection import server_option

P = ParamSpec("P")
R = TypeVar("R")

# Into a file or a pipe nothing is cut to the width of a screen that isn't there.
_PIPE_WIDTH = 240
_to_screen = Console()
console = _to_screen if _to_screen.is_terminal or os.environ.get("COLUMNS") else Console(width=_PIPE_WIDTH)
progress_console = Console(stderr=True)

__all__ = [
    "config_option",
    "console",
    "explain_errors",
    "format_rate",
    "json_option",
    "plain",
    "print_json",
    "progress_console",
    "server_option",
]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")

config_option = click.option(
    "--config",
    "-c",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="MTD_CONFIG",
    help="Configuration file (TOML). Default: the environment variable MTD_CONFIG, else built-in defaults.",
)


def print_json(value: Any) -> None:
    """Print a value as one line of JSON on standard output."""
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)


def plain(value: object) -> str:
    """Return a text from outside as it is to be printed: no markup in it, nothing that steers a terminal."""
    text = str(value)
    if not text.isprintable():
        text = "".join(
            character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
        )
    return escape(text)


def format_rate(bits_per_second: float | None) -> str:
    """Return a rate for people: "12.3 Mb/s"; nothing where there is none."""
    if bits_per_second is None:
        return ""
    for unit in ("b/s", "kb/s", "Mb/s"):
        if bits_per_second < 1000:
            return f"{bits_per_second:,.1f} {unit}"
        bits_per_second /= 1000
    return f"{bits_per_second:,.1f} Gb/s"


def explain_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Turn expected errors into a message and exit code 1, without a traceback."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        from mtd.client import MtdClientError

        try:
            return command(*args, **kwargs)
        except MtdClientError as error:
            raise click.ClickException(str(error)) from None
        except Exception as error:
            from mtd.core.errors import Bug, MtdError

            if isinstance(error, MtdError) and not isinstance(error, Bug):
                raise click.ClickException(str(error)) from None
            raise

    return wrapped
