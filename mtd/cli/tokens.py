"""``mtd token``: what programs show instead of a password."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.cli.secret_files import out_option, refuse_existing, replace_option, write_secret
from mtd.cli.times import duration_of
from mtd.client import identity as calls
from mtd.client.identity import ROLES, ApiToken, NewSecret

_super_admin_option = click.option(
    "--super-admin", is_flag=True, help="A token of super-admins, which belongs to no tenant."
)
_expires_option = click.option(
    "--expires", help="When it expires, counted from now: 12h, 90d. Default: never."
)
_new_expiry_option = click.option(
    "--expires", help="When it expires, counted from now: 12h, 90d. Default: when it would have."
)


@click.group()
def token() -> None:
    """API tokens, for programs: --token-file, MTD_TOKEN, or `Authorization: Bearer`.

    \b
    mtd token add grafana --scope telemetry.read --scope inventory.read --expires 365d
    mtd token rotate grafana --overlap 24h
    mtd token revoke grafana
    """


@token.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice(ROLES), default="viewer", show_default=True, help="What it may do at most."
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    help="What it is for; may be given several times. `*`: all.",
)
@_expires_option
@out_option
@server_option
@json_option
@explain_errors
def add(
    name: str,
    role: str,
    scopes: tuple[str, ...],
    expires: str | None,
    out: Path | None,
    server: Connection,
    as_json: bool,
) -> None:
    """Make the token NAME. Its secret is shown once.

    A scope that isn't known is refused with the list of those that are.
    """
    expires_at = _expiry(expires)
    refuse_existing(out)
    with server.client() as client:
        made = client.ask(calls.create_token(name, role, scopes, expires_at=expires_at))
    _give(made, out, as_json=as_json)


@token.command("list")
@click.option("--all", "revoked", is_flag=True, help="Also those that were revoked.")
@_super_admin_option
@server_option
@json_option
@explain_errors
def list_tokens(revoked: bool, super_admin: bool, server: Connection, as_json: bool) -> None:
    """List the tokens of your tenant, or of the super-admins."""
    with server.client() as client:
        found = list(
            calls.every(client, lambda page: calls.tokens(page, super_admin=super_admin, revoked=revoked))
        )
    if as_json:
        print_json(found)
        return
    table = Table("Name", "ID", "Role", "Scopes", "State", "Made by", "Last used")
    for one in sorted(found, key=lambda one: one.name):
        used = one.used_at.astimezone().strftime("%Y-%m-%d %H:%M") if one.used_at else "never"
        scopes = plain(" ".join(one.scopes))
        table.add_row(plain(one.name), one.id, one.role, scopes, _state(one), plain(one.created_by), used)
    console.print(table)


@token.command()
@click.argument("name", metavar="TOKEN")
@click.option(
    "--overlap", default="24h", show_default=True, help="How long the old secret stays good; 0s: not at all."
)
@_new_expiry_option
@_super_admin_option
@out_option
@replace_option
@server_option
@json_option
@explain_errors
def rotate(
    name: str,
    overlap: str,
    expires: str | None,
    super_admin: bool,
    out: Path | None,
    replace: bool,
    server: Connection,
    as_json: bool,
) -> None:
    """Give the TOKEN, by name or id, a new secret. It is shown once."""
    overlap_s = int(duration_of(overlap, "--overlap").total_seconds())
    expires_at = _expiry(expires)
    refuse_existing(out, replace=replace)
    with server.client() as client:
        made = client.ask(calls.rotate_token(name, overlap_s, expires_at=expires_at, super_admin=super_admin))
    _give(made, out, as_json=as_json, replace=replace)


@token.command()
@click.argument("name", metavar="TOKEN")
@_super_admin_option
@server_option
@json_option
@explain_errors
def revoke(name: str, super_admin: bool, server: Connection, as_json: bool) -> None:
    """End the TOKEN, by name or id, at once and for good."""
    with server.client() as client:
        ended = client.ask(calls.revoke_token(name, super_admin=super_admin))
    if as_json:
        print_json(ended)
    else:
        console.print(f"{plain(ended.name)} is revoked.")


def _expiry(expires: str | None) -> dt.datetime | None:
    return None if expires is None else dt.datetime.now(dt.UTC) + duration_of(expires, "--expires")


def _give(made: NewSecret, out: Path | None, *, as_json: bool, replace: bool = False) -> None:
    if out is not None:
        write_secret(out, made.secret, replace=replace)
    if as_json:
        print_json({"token": made.token, "secret": made.secret} if out is None else {"token": made.token})
        return
    if out is not None:
        console.print(f"The secret of {plain(made.token.name)} is in {plain(out)}.")
        return
    console.print(f"The secret of {plain(made.token.name)}, which can't be shown again:", style="bold")
    click.echo(made.secret)  # whole, on one line, however narrow the screen is


def _state(token: ApiToken) -> str:
    now = dt.datetime.now(dt.UTC)
    if token.revoked_at is not None:
        return "[red]revoked[/red]"
    if token.expires_at is None:
        return "good"
    if token.expires_at <= now:
        return "[red]expired[/red]"
    return f"good until {token.expires_at.astimezone().strftime('%Y-%m-%d %H:%M')}"
