"""``mtd user``: who may log in; ``mtd whoami``: who you are to the daemon."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.cli.passwords import PASSWORD_FILE, new_password, present_password
from mtd.client import identity as calls
from mtd.client.identity import ROLES

_SUPER_ADMIN = "super-admin"

_super_admin_option = click.option(
    "--super-admin", is_flag=True, help="A super-admin, who belongs to no tenant."
)
_role_option = click.option(
    "--role",
    type=click.Choice(ROLES[:-1]),
    help="viewer reads; operator also runs diagnostics; admin also changes inventory, users and tokens.",
)
_password_file_option = click.option(
    "--password-file", type=PASSWORD_FILE, help="File with the password. Asked for if not given."
)


@click.group()
def user() -> None:
    """Users, who log in to the console with a name and a password.

    \b
    mtd user add root --super-admin          the first one, on the daemon's machine
    mtd user add anna --role admin --tenant north
    mtd user password anna                   another one: she forgot hers
    """


@user.command()
@click.argument("name")
@_role_option
@_super_admin_option
@click.option(
    "--oidc-issuer", default="", help="Identity provider that says who it is, instead of a password."
)
@click.option("--oidc-subject", default="", help="What the identity provider calls it (the claim sub).")
@click.option("--no-password", is_flag=True, help="Without a password: it can't log in until it has one.")
@_password_file_option
@server_option
@json_option
@explain_errors
def add(
    name: str,
    role: str | None,
    super_admin: bool,
    oidc_issuer: str,
    oidc_subject: str,
    no_password: bool,
    password_file: Path | None,
    server: Connection,
    as_json: bool,
) -> None:
    """Add the user NAME, who logs in to the console; asks for the password unless a file holds it.

    \b
    mtd user add alice --role operator
    mtd user add root --super-admin              across all tenants: the first one of a new mtd
    """
    if super_admin == (role is not None):
        raise click.UsageError("say what it may do: --role viewer, operator or admin, or --super-admin")
    without = no_password or bool(oidc_issuer)
    if without and password_file is not None:
        raise click.UsageError("--password-file doesn't go with --no-password or --oidc-issuer")
    password = "" if without else new_password(password_file, name)
    with server.client() as client:
        made = client.ask(
            calls.create_user(
                name,
                _SUPER_ADMIN if role is None else role,
                password=password,
                oidc_issuer=oidc_issuer,
                oidc_subject=oidc_subject,
            )
        )
    if as_json:
        print_json(made)
    else:
        console.print(f"{plain(made.name)} is there, as {made.role}.")


@user.command("list")
@_super_admin_option
@server_option
@json_option
@explain_errors
def list_users(super_admin: bool, server: Connection, as_json: bool) -> None:
    """List the users of your tenant, or the super-admins."""
    with server.client() as client:
        found = list(calls.every(client, lambda token: calls.users(token, super_admin=super_admin)))
    if as_json:
        print_json(found)
        return
    table = Table("Name", "Role", "State", "Logs in by", "Last login")
    for one in found:
        by = plain(one.oidc_issuer) or ("password" if one.has_password else "nothing yet")
        table.add_row(
            plain(one.name),
            one.role,
            "enabled" if one.enabled else "[red]disabled[/red]",
            by,
            _when(one.logged_in_at),
        )
    console.print(table)
    if not found and not super_admin:
        console.print("No users here. Super-admins belong to no tenant: mtd user list --super-admin")


@user.command("set")
@click.argument("user_name", metavar="USER")
@click.option("--name", help="Another name.")
@_role_option
@click.option("--enable/--disable", "enabled", default=None, help="Let it log in, or not; its sessions end.")
@click.option("--oidc-issuer", help="Another identity provider; its password goes. Empty: none.")
@click.option("--oidc-subject", help="Another name with the identity provider. Empty: none.")
@_super_admin_option
@server_option
@json_option
@explain_errors
def set_user(user_name: str, super_admin: bool, server: Connection, as_json: bool, **given: Any) -> None:
    """Change the USER, by name or id."""
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("say what to change: --name, --role, --enable, --disable, --oidc-issuer")
    with server.client() as client:
        changed = client.ask(calls.update_user(user_name, super_admin=super_admin, **changes))
    if as_json:
        print_json(changed)
    else:
        state = "" if changed.enabled else ", disabled"
        console.print(f"{plain(changed.name)} is changed: {changed.role}{state}.")


@user.command()
@click.argument("user_name", metavar="USER")
@_super_admin_option
@server_option
@json_option
@explain_errors
def remove(user_name: str, super_admin: bool, server: Connection, as_json: bool) -> None:
    """Remove the USER, by name or id. Tokens that it made stay good: see mtd token list."""
    with server.client() as client:
        client.ask(calls.delete_user(user_name, super_admin=super_admin))
    if as_json:
        print_json({"removed": user_name})
    else:
        console.print(f"{plain(user_name)} is removed. Tokens that it made: mtd token list")


@user.command()
@click.argument("user_name", metavar="[USER]", default="")
@_super_admin_option
@_password_file_option
@click.option(
    "--old-password-file", type=PASSWORD_FILE, help="File with your present password, for your own."
)
@server_option
@json_option
@explain_errors
def password(
    user_name: str,
    super_admin: bool,
    password_file: Path | None,
    old_password_file: Path | None,
    server: Connection,
    as_json: bool,
) -> None:
    """Set the password of USER, or your own if you name nobody. Sessions of the user end."""
    own = not user_name or old_password_file is not None
    old = present_password(old_password_file) if own else ""
    new = new_password(password_file, user_name or "yours")
    with server.client() as client:
        client.ask(calls.set_password(new, user=user_name, old_password=old, super_admin=super_admin))
    if as_json:
        print_json({"user": user_name})
    else:
        console.print("The password is set.")


@click.command()
@server_option
@json_option
@explain_errors
def whoami(server: Connection, as_json: bool) -> None:
    """Show who you are to the daemon: by a token, a certificate, or as the operator on its machine."""
    with server.client() as client:
        found = client.ask(calls.who_am_i())
    if as_json:
        print_json(found)
        return
    name = f" {plain(found.name)}" if found.name else ""
    role = f", {found.role}" if found.role else ""
    console.print(f"{found.kind}{name}{role}, for the tenant {plain(found.tenant)} ({found.tenant_id})")
    if "*" not in found.scopes:
        console.print(f"Scopes: {plain(', '.join(found.scopes)) or 'none'}")


def _when(moment: dt.datetime | None) -> str:
    return "never" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")
