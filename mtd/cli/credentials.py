"""``mtd credentials``: logins that routers share."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.device_settings import SECRETS, secret_from
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.client import credential_sets
from mtd.client.credential_sets import PURPOSES, CredentialSet

_TEXTS = ("name", "username", "notes")
_REFERENCE = "reference:"


@click.group()
def credentials() -> None:
    """Logins that routers share: sets of credentials, each for one purpose.

    \b
    readonly       polling
    diagnostics    ping, traceroute, torch and the other tools
    config-audit   reading the configuration
    \b
    mtd credentials add noc readonly username=monitor password=-
    mtd device set core-1 credentials.readonly=noc
    """


@credentials.command()
@click.argument("name")
@click.argument("purpose", type=click.Choice(PURPOSES))
@click.argument("settings", nargs=-1, metavar="[KEY=VALUE]...")
@server_option
@json_option
@explain_errors
def add(name: str, purpose: str, settings: tuple[str, ...], server: Connection, as_json: bool) -> None:
    """Add the set NAME.

    Keys are username, notes, password, snmp_community, snmp_auth_password and
    snmp_priv_password. A secret of `-` is asked for, `env` is taken from MTD_PASSWORD,
    MTD_SNMP_COMMUNITY and so on. One that is kept elsewhere is referred to.

    \b
    mtd credentials add noc readonly username=monitor password=-
    mtd credentials add noc readonly reference:password=vault:routers/noc#password
    mtd credentials add noc readonly reference:password=file:/run/secrets/noc
    """
    texts, secrets, references = _parsed(settings, ("username", "notes"))
    with server.client() as client:
        made = client.ask(
            credential_sets.create_set(name, purpose, **texts, secrets=secrets, references=references)
        )
    _show([made], as_json)


@credentials.command("set")
@click.argument("name")
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@server_option
@json_option
@explain_errors
def change(name: str, settings: tuple[str, ...], server: Connection, as_json: bool) -> None:
    """Change the set NAME. Routers that use it are logged in to anew.

    \b
    mtd credentials set noc password=-
    mtd credentials set noc snmp_community=          the set has none any more
    mtd credentials set noc reference:password=vault:routers/noc#password
    """
    texts, secrets, references = _parsed(settings, _TEXTS)
    with server.client() as client:
        made = client.ask(credential_sets.update_set(name, texts, secrets=secrets, references=references))
    _show([made], as_json)


@credentials.command("list")
@server_option
@json_option
@explain_errors
def list_sets(server: Connection, as_json: bool) -> None:
    """List all sets, and how many routers use each. Shows no secret."""
    found: list[CredentialSet] = []
    token = ""
    with server.client() as client:
        while True:
            page = client.ask(credential_sets.sets(500, token))
            found += page.sets
            token = page.next_page_token
            if not token:
                break
    _show(found, as_json)


@credentials.command()
@click.argument("name")
@server_option
@json_option
@explain_errors
def show(name: str, server: Connection, as_json: bool) -> None:
    """Show the set NAME. Shows no secret."""
    with server.client() as client:
        found = client.ask(credential_sets.get_set(name))
    _show([found], as_json)


@credentials.command()
@click.argument("name")
@server_option
@json_option
@explain_errors
def remove(name: str, server: Connection, as_json: bool) -> None:
    """Remove the set NAME, which no router may use any more."""
    with server.client() as client:
        client.ask(credential_sets.delete_set(name))
    if as_json:
        print_json({"removed": name})
    else:
        console.print(f"removed [bold]{plain(name)}[/]")


def _parsed(
    settings: Sequence[str], texts: Sequence[str]
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Return texts, secrets and references of ``KEY=VALUE`` texts. Raises ClickException."""
    found: dict[str, str] = {}
    secrets: dict[str, str] = {}
    references: dict[str, str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            # Not shown whole: who forgets the `=` may have typed a password.
            raise click.ClickException("give settings as KEY=VALUE")
        kind = key.removeprefix(_REFERENCE)
        if key in texts:
            found[key] = value
        elif key in SECRETS:
            secrets[key] = secret_from(value, key, SECRETS[key])
        elif kind != key and kind in SECRETS:
            references[kind] = value
        else:
            known = [*texts, *SECRETS, *(f"{_REFERENCE}{name}" for name in SECRETS)]
            raise click.ClickException(f"{key!r} is not a setting; known: {', '.join(known)}")
    return found, secrets, references


def _show(sets: Sequence[CredentialSet], as_json: bool) -> None:
    if as_json:
        print_json(sets)
        return
    table = Table("Set", "purpose", "user", "secrets", "used by", "notes")
    for one in sets:
        held = [f"{kind} ({text})" if text else kind for kind, text in one.secrets.items()]
        table.add_row(
            plain(one.name),
            plain(one.purpose),
            plain(one.username),
            plain(", ".join(held)),
            str(one.used_by),
            plain(one.notes),
        )
    console.print(table)
