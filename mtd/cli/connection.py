"""Which daemon a command asks, and as whom: options that all such commands have."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from mtd.client import MtdClient, MtdClientError
from mtd.client.channel import Options

R = TypeVar("R")

DEFAULT_SERVER = "127.0.0.1:50051"
_FILE = click.Path(dir_okay=False, path_type=Path)

_OPTIONS = (
    click.option(
        "--server",
        default=DEFAULT_SERVER,
        envvar="MTD_SERVER",
        show_default=True,
        help="Address of the daemon's gRPC door, or of several hubs with commas between them (MTD_SERVER).",
    ),
    click.option(
        "--token-file",
        type=_FILE,
        envvar="MTD_TOKEN_FILE",
        help="File with an API token (MTD_TOKEN_FILE); or put the token itself into MTD_TOKEN.",
    ),
    click.option(
        "--tenant",
        default="",
        envvar="MTD_TENANT",
        help="Tenant to work for, by name or id: for those who may choose (MTD_TENANT).",
    ),
    click.option(
        "--server-tls",
        is_flag=True,
        envvar="MTD_SERVER_TLS",
        help="TLS to the daemon, whose certificate a public CA signed (MTD_SERVER_TLS).",
    ),
    click.option(
        "--ca-file",
        type=_FILE,
        envvar="MTD_CA_FILE",
        help="TLS to the daemon, whose certificate this CA signed: that of `mtd ca`, say (MTD_CA_FILE).",
    ),
    click.option(
        "--certificate", type=_FILE, envvar="MTD_CERTIFICATE", help="Client certificate (MTD_CERTIFICATE)."
    ),
    click.option("--key", type=_FILE, envvar="MTD_KEY", help="Key of the client certificate (MTD_KEY)."),
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A daemon, and as whom it is asked."""

    target: str = DEFAULT_SERVER
    token_file: Path | None = None
    tenant: str = ""
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def __str__(self) -> str:
        return self.target

    def options(self) -> Options:
        """Return what clients are given beside the target. Raises click's errors for a token file that is no use."""
        return {
            "token": self._token(),
            "tenant": self.tenant,
            "tls": self.tls,
            "ca_file": self.ca_file,
            "certificate_file": self.certificate_file,
            "key_file": self.key_file,
        }

    def client(self, *, timeout_s: float = 10.0) -> MtdClient:
        """Return a client of the daemon. Connects with the first call."""
        try:
            return MtdClient(self.target, timeout_s=timeout_s, **self.options())
        except MtdClientError as error:
            raise click.ClickException(str(error)) from None

    def _token(self) -> str:
        if self.token_file is None:
            return os.environ.get("MTD_TOKEN", "").strip()
        try:
            token = self.token_file.read_text(encoding="ascii").strip()
        except OSError as error:
            raise click.ClickException(f"{self.token_file} can't be read: {error.strerror}") from None
        except ValueError:
            raise click.ClickException(f"{self.token_file} doesn't hold an API token") from None
        if not token:
            raise click.ClickException(f"{self.token_file} is empty: it has to hold an API token")
        return token


def server_option(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options of a command that asks the daemon; it is given them as one `Connection`, ``server``."""

    @functools.wraps(command)
    def wrapped(
        *args: Any,
        server: str,
        token_file: Path | None,
        tenant: str,
        server_tls: bool,
        ca_file: Path | None,
        certificate: Path | None,
        key: Path | None,
        **others: Any,
    ) -> R:
        connection = Connection(server, token_file, tenant, server_tls, ca_file, certificate, key)
        return command(*args, server=connection, **others)

    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped
