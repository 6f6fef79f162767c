"""Passwords for the daemon: from a file or a prompt, never from an option, which others see."""

from __future__ import annotations

from pathlib import Path

import click

PASSWORD_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def new_password(file: Path | None, whose: str) -> str:
    """Return a password that is to be set."""
    if file is not None:
        return _first_line(file)
    answer: str = click.prompt(
        f"New password of {whose}", hide_input=True, confirmation_prompt="Once more", err=True
    )
    return answer


def present_password(file: Path | None) -> str:
    """Return the password that the caller has now."""
    if file is not None:
        return _first_line(file)
    answer: str = click.prompt("Your present password", hide_input=True, err=True)
    return answer


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} can't be read: {error}") from None
