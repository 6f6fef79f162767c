"""Secrets that are shown once, in files that only their owner can read."""

from __future__ import annotations

import os
from pathlib import Path

import click

out_option = click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the secret to, which only you can read. Default: it is printed.",
)
replace_option = click.option(
    "--replace",
    is_flag=True,
    help="Put the new secret into the place of the --out file that is there, in one step.",
)


def refuse_existing(out: Path | None, *, replace: bool = False) -> None:
    """Refuse a file that is there before a secret is made that nobody would see."""
    if replace and out is None:
        raise click.UsageError("--replace needs --out: which file?")
    if out is not None and out.exists() and not replace:
        raise click.UsageError(f"{out} is there already: name another file, or remove it")


def write_secret(out: Path, secret: str, *, replace: bool = False) -> None:
    """Write a secret. Who reads a file that is replaced finds the old secret or the new one, whole."""
    made = out.with_name(f".{out.name}.{os.getpid()}.new") if replace else out
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret + "\n")
    if replace:
        made.replace(out)
