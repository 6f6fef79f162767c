"""``mtd enroll``: a collector gets its certificate."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mtd.cli.ca import written_down
from mtd.cli.config import load_settings
from mtd.cli.output import config_option, console, explain_errors, json_option, plain, print_json

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--server", required=True, envvar="MTD_SERVER", help="Address of the hub's gRPC door: HOST:PORT."
)
@click.option(
    "--token-file",
    type=_FILE,
    help="File with the enrolment token. Default: the first line of standard input.",
)
@click.option(
    "--ca-file", type=_FILE, help="The hub is known by this CA, not by the token: its own certificate."
)
@click.option(
    "--server-tls", "tls", is_flag=True, help="The hub is known by a public CA: behind a proxy, say."
)
@click.option("--replace", is_flag=True, help="Also if this collector has enrolled already.")
@config_option
@json_option
@explain_errors
def enroll(
    server: str,
    token_file: Path | None,
    ca_file: Path | None,
    tls: bool,
    replace: bool,
    config_path: Path | None,
    as_json: bool,
) -> None:
    """Make a key, and have the hub certify it: with the token that `mtd collector invite` gave.

    \b
    mtd enroll --server hub.example:50051 --token-file edge-1.token

    The token holds the fingerprint of the hub's CA, so that nobody else can take the
    hub's place: it is sent to no other. Key and certificate are kept in the data
    folder, for the daemon, which renews the certificate by itself. The key never
    leaves this machine.
    """
    from mtd.app.enrolling import enrol
    from mtd.app.identity_files import IdentityFiles, Trust

    if ca_file is not None and tls:
        raise click.UsageError("give one of --ca-file and --server-tls")
    settings = load_settings(config_path)
    trust = Trust(b"" if ca_file is None else _read(ca_file), public=tls)
    token = _token(token_file)
    with written_down(settings, "collector.enroll", {}, f"hub={server}"):
        made = enrol(IdentityFiles(settings.identity_path), server, token, trust=trust, replace=replace)
    if as_json:
        print_json(
            {
                "collector": made.name,
                "collector_id": made.collector_id,
                "tenant_ids": made.tenant_ids,
                "hub": made.target,
                "serial": made.facts.serial,
                "folder": settings.identity_path,
            }
        )
        return
    console.print(
        f"[green]This is the collector {plain(made.name)} now.[/] It calls {plain(made.target)}; restart the daemon,"
        " which renews the certificate by itself."
    )
    if token_file is not None:
        console.print(f"[dim]The token in {plain(token_file)} is used up.[/]")


def _token(path: Path | None) -> str:
    text = sys.stdin.readline() if path is None else _read(path).decode("ascii", "replace")
    if not text.strip():
        raise click.ClickException("there is no token: give --token-file, or the token on standard input")
    return text.strip()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path} can't be read: {error.strerror}") from None
