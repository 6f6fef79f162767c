"""``mtd site`` and ``mtd group``: where routers stand, and which belong together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.client import MtdClient, places
from mtd.client.places import Place, Places
from mtd.client.requests import Call


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two: what it is called, its calls, and what ``set`` knows."""

    word: str
    create: Callable[..., Call[Place]]
    get: Callable[[str], Call[Place]]
    page: Callable[[int, str], Call[Places]]
    update: Callable[..., Call[Place]]
    delete: Callable[[str], Call[None]]
    texts: Sequence[str]


_SITE = _Kind(
    "site",
    places.create_site,
    places.get_site,
    places.sites,
    places.update_site,
    places.delete_site,
    ("name", "address", "notes"),
)
_GROUP = _Kind(
    "group",
    places.create_group,
    places.get_group,
    places.groups,
    places.update_group,
    places.delete_group,
    ("name", "notes"),
)
_PAGE = 500


@click.group()
def site() -> None:
    """Sites at which routers stand: towers, buildings, points of presence.

    \b
    mtd site add graz-1 address="Schlossberg 1" label:region=south
    mtd device set core-1 site=graz-1
    mtd device list --site graz-1
    """


@click.group()
def group() -> None:
    """Groups of routers, across sites. A router may be in several.

    \b
    mtd group add core notes="the backbone"
    mtd device set core-1 groups=core,noc
    mtd device list --group core
    """


def _commands(kind: _Kind) -> list[click.Command]:
    settings = f"{', '.join(kind.texts)} or label:KEY"

    @click.command("add", help=f"Add the {kind.word} NAME. Settings: {settings}.")
    @click.argument("name")
    @click.argument("settings", nargs=-1, metavar="[KEY=VALUE...]")
    @server_option
    @json_option
    @explain_errors
    def add(name: str, settings: tuple[str, ...], server: Connection, as_json: bool) -> None:
        with server.client() as client:
            values = _values(kind, settings, {})
            _show([client.ask(kind.create(**{"name": name, **values}))], as_json)

    @click.command("list", help=f"List the {kind.word}s, and how many routers each has.")
    @server_option
    @json_option
    @explain_errors
    def list_all(server: Connection, as_json: bool) -> None:
        with server.client() as client:
            _show(all_of(client, kind.page), as_json)

    @click.command("set", help=f"Change the {kind.word} NAME: {settings}. An empty value takes a label away.")
    @click.argument("name")
    @click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
    @server_option
    @json_option
    @explain_errors
    def set_settings(name: str, settings: tuple[str, ...], server: Connection, as_json: bool) -> None:
        with server.client() as client:
            before = client.ask(kind.get(name))
            values = _values(kind, settings, before.labels)
            changed = client.ask(kind.update(before.id, revision=before.revision, **values))
            _show([changed], as_json)

    @click.command("remove", help=f"Remove the {kind.word} NAME. It must have no routers.")
    @click.argument("name")
    @server_option
    @json_option
    @explain_errors
    def remove(name: str, server: Connection, as_json: bool) -> None:
        with server.client() as client:
            client.ask(kind.delete(name))
        if as_json:
            print_json({"removed": name})
        else:
            console.print(f"{plain(name)} is removed.")

    return [add, list_all, set_settings, remove]


def all_of(client: MtdClient, pages: Callable[[int, str], Call[Places]]) -> list[Place]:
    """Return all sites, or all groups, by name: ``pages`` builds the call of a page."""
    found: list[Place] = []
    token = ""
    while True:
        page = client.ask(pages(_PAGE, token))
        found += page.places
        token = page.next_page_token
        if not token:
            return found


def _values(kind: _Kind, texts: Sequence[str], labels: Any) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise click.ClickException(f"{text!r} is not KEY=VALUE")
        if key.startswith("label:") and key != "label:":
            known = values.setdefault("labels", dict(labels))
            known.pop(key.removeprefix("label:"), None)
            if value:
                known[key.removeprefix("label:")] = value
        elif key in kind.texts:
            values[key] = value
        else:
            raise click.ClickException(f"{key!r} is not a setting; known: {', '.join(kind.texts)}, label:KEY")
    return values


def _show(found: Sequence[Place], as_json: bool) -> None:
    if as_json:
        print_json(list(found))
        return
    table = Table("Name", "Routers", "Address", "Labels", "Notes")
    for one in found:
        labels = " ".join(f"{key}={value}" for key, value in sorted(one.labels.items()))
        table.add_row(plain(one.name), str(one.devices), plain(one.address), plain(labels), plain(one.notes))
    console.print(table)


for _place_group, _its_kind in ((site, _SITE), (group, _GROUP)):
    for _command in _commands(_its_kind):
        _place_group.add_command(_command)
