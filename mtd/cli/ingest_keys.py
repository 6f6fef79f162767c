"""``mtd ingest-key``: keys by which programs sign what they send."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.cli.secret_files import out_option, refuse_existing, replace_option, write_secret
from mtd.cli.times import duration_of
from mtd.client import ingest as calls
from mtd.client.identity import every
from mtd.client.ingest import IngestKey, NewKey


@click.group("ingest-key")
def ingest_key() -> None:
    """Keys for programs that send to POST /ingest/v1/batch, and sign what they send.

    \b
    mtd ingest-key add billing --out billing.key
    mtd ingest-key list
    mtd ingest-key rotate billing --overlap 24h --out billing-2.key
    mtd ingest-key revoke billing

    docs/ingest.md shows how a batch is signed. Programs that can keep a token safe may use
    one instead: `mtd token add NAME --scope ingest.write`.
    """


@ingest_key.command()
@click.argument("name")
@out_option
@server_option
@json_option
@explain_errors
def add(name: str, out: Path | None, server: Connection, as_json: bool) -> None:
    """Make the key NAME, for your tenant. Its secret is shown once."""
    refuse_existing(out)
    with server.client() as client:
        made = client.ask(calls.create_key(name))
    _give(made, out, as_json=as_json)


@ingest_key.command("list")
@click.option("--all", "revoked", is_flag=True, help="Also those that were revoked.")
@server_option
@json_option
@explain_errors
def list_keys(revoked: bool, server: Connection, as_json: bool) -> None:
    """List the keys of your tenant, and when each was used last."""
    with server.client() as client:
        found = [key for key in every(client, calls.keys) if revoked or key.revoked_at is None]
    if as_json:
        print_json(found)
        return
    table = Table("Name", "ID", "State", "Secret since", "Last used")
    for key in found:
        table.add_row(
            plain(key.name), key.key_id, _state(key), _shown(key.rotated_at), _shown(key.last_used_at)
        )
    console.print(table)


@ingest_key.command()
@click.argument("name", metavar="KEY")
@click.option(
    "--overlap",
    default="24h",
    show_default=True,
    help="How long the old secret stays good, so that programs can be changed over; 0s: not at all.",
)
@out_option
@replace_option
@server_option
@json_option
@explain_errors
def rotate(
    name: str, overlap: str, out: Path | None, replace: bool, server: Connection, as_json: bool
) -> None:
    """Give the KEY, by name or id, a new secret. It is shown once."""
    overlap_s = int(duration_of(overlap, "--overlap").total_seconds())
    refuse_existing(out, replace=replace)
    with server.client() as client:
        made = client.ask(calls.rotate_key(name, overlap_s))
    _give(made, out, as_json=as_json, replace=replace)


@ingest_key.command()
@click.argument("name", metavar="KEY")
@server_option
@json_option
@explain_errors
def revoke(name: str, server: Connection, as_json: bool) -> None:
    """End the KEY, by name or id, at once and for good."""
    with server.client() as client:
        ended = client.ask(calls.revoke_key(name))
    if as_json:
        print_json(ended)
    else:
        console.print(f"{plain(ended.name)} is revoked.")


def _give(made: NewKey, out: Path | None, *, as_json: bool, replace: bool = False) -> None:
    if out is not None:
        write_secret(out, made.secret, replace=replace)
    if as_json:
        print_json({"key": made.key, "secret": made.secret} if out is None else {"key": made.key})
        return
    console.print(f"The id of {plain(made.key.name)} is {made.key.key_id}: it goes with each request.")
    if out is not None:
        console.print(f"Its secret is in {plain(out)}.")
        return
    console.print("Its secret, which can't be shown again:", style="bold")
    click.echo(made.secret)  # whole, on one line, however narrow the screen is


def _state(key: IngestKey) -> str:
    if key.revoked_at is not None:
        return "[red]revoked[/red]"
    if key.old_secret_until is not None and key.old_secret_until > dt.datetime.now(dt.UTC):
        return f"good, the old secret until {_shown(key.old_secret_until)}"
    return "good"


def _shown(time: dt.datetime | None) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M") if time else "never"
