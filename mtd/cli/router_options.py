"""Options that tell how to log in to a router, shared by commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

TLS_MODES = ("off", "verify", "pinned", "anonymous", "insecure")
NAMINGS = ("name", "comment", "both")

_OPTIONS = (
    click.option("--port", type=click.IntRange(1, 65535), help="TCP port. Default: 8728, with TLS 8729."),
    click.option(
        "--user",
        "username",
        required=True,
        help="RouterOS user; one whose group has the policies read and api is enough.",
    ),
    click.option(
        "--password",
        envvar="MTD_PASSWORD",
        help="Password; better in the environment variable MTD_PASSWORD or in a file. Asked for if not given.",
    ),
    click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File that holds the password.",
    ),
    click.option(
        "--tls",
        "tls_mode",
        type=click.Choice(TLS_MODES),
        default="off",
        show_default=True,
        help="Transport security: off; verify (trusted CA); pinned (by --fingerprint); "
        "anonymous (API-SSL without a certificate); insecure (any certificate).",
    ),
    click.option(
        "--fingerprint", default="", help="SHA-256 fingerprint of the router's certificate, for --tls pinned."
    ),
    click.option(
        "--naming",
        type=click.Choice(NAMINGS),
        default="name",
        show_default=True,
        help="How interfaces are labelled: by name, by comment, or by both.",
    ),
)


def login_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def read_password(password: str | None, password_file: Path | None) -> str:
    """Return the password from wherever it was given; ask for it otherwise."""
    if password_file is not None:
        return password_file.read_text(encoding="utf-8").strip("\r\n")
    if password is not None:
        return password
    answer: str = click.prompt("Password", hide_input=True, default="", show_default=False, err=True)
    return answer


def settings_from(login: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as settings of a device in the inventory."""
    return {
        "port": login["port"] or 0,
        "username": login["username"],
        "tls_mode": login["tls_mode"],
        "tls_fingerprint": login["fingerprint"],
        "interface_naming": login["naming"],
    }


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add where a new router stands, and the groups that it is in."""
    command = click.option(
        "--group", "groups", multiple=True, help="A group that it is in; may be repeated."
    )(command)
    return click.option("--site", default="", help="Site at which it stands, by name or id.")(command)


def places_from(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as settings of a device."""
    return {
        **({"site": given["site"]} if given["site"] else {}),
        **({"groups": list(given["groups"])} if given["groups"] else {}),
    }
