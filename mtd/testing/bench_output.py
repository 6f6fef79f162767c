"""Folders and figures of benches."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from mtd.testing.harness import HarnessFailed


@contextlib.contextmanager
def folder(console: Console, *, keep: bool, data: Path | None = None) -> Iterator[Path]:
    """Give a folder for a run. It is removed after one that went well, unless it is to be kept, or was named."""
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
    place = data or Path(tempfile.mkdtemp(prefix="mtd-bench-"))
    place.chmod(0o711)
    try:
        yield place
    except HarnessFailed as failure:
        console.print(f"[red]{failure}[/]\nEverything is kept in {place}")
        raise SystemExit(1) from None
    if keep or data is not None:
        console.print(f"kept in {place}")
    else:
        shutil.rmtree(place, ignore_errors=True)


def show(console: Console, figures: dict[str, Any], *, as_json: bool) -> None:
    """Print figures: a line of JSON on standard output, or a table."""
    if as_json:
        click.echo(json.dumps(figures))
        return
    table = Table("Figure", "Measured")
    for name, value in _flat(figures):
        table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    console.print(table)


def end_with(console: Console, problems: Sequence[str]) -> None:
    """Say what is worse than it has to be, and end with 1 if anything is."""
    for problem in problems:
        console.print(f"[red]{problem}[/]")
    if problems:
        raise SystemExit(1)


def _flat(figures: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", value
