"""``mtd device interfaces``, ``pin``, ``unpin`` and ``pins``: which interfaces are read at the live tier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.client import MtdClient, MtdClientError, watching
from mtd.client.values import Device

# Somebody may change the device at the same time: then it is read again.
_TRIES = 5


@click.command("interfaces")
@click.argument("name")
@server_option
@json_option
@explain_errors
def list_interfaces(name: str, server: Connection, as_json: bool) -> None:
    """List the interfaces of the router NAME: how often each is read, and why."""
    with server.client() as client:
        found = client.ask(watching.interfaces(name))
    if as_json:
        print_json(found)
        return
    table = Table("Interface", "Type", "Tier", "Every", "Why", "Since", "Comment")
    for one in found.interfaces:
        since = one.since.astimezone().strftime("%Y-%m-%d %H:%M:%S") if one.since else ""
        every = f"{one.interval_s:g} s"
        why = f"{one.detail}, and pinned" if one.pinned and one.reason != "pinned" else one.detail
        table.add_row(
            plain(one.name), plain(one.type), one.tier, every, plain(why), since, plain(one.comment)
        )
    console.print(table)
    _warn(found)


@click.command()
@click.argument("name")
@click.argument("interfaces", nargs=-1, required=True, metavar="INTERFACE...")
@server_option
@json_option
@explain_errors
def pin(name: str, interfaces: tuple[str, ...], server: Connection, as_json: bool) -> None:
    """Read these interfaces of the router NAME at the live tier, whatever their traffic and the limits.

    An interface goes by its name on the router, or by its id in mtd (see `mtd device interfaces`), which
    stays when it is renamed.

    \b
    mtd device pin core-1 sfp-sfpplus1 vlan200
    """
    _change(name, server, as_json, lambda pins: [*pins, *(one for one in interfaces if one not in pins)])


@click.command()
@click.argument("name")
@click.argument("interfaces", nargs=-1, required=True, metavar="INTERFACE...")
@server_option
@json_option
@explain_errors
def unpin(name: str, interfaces: tuple[str, ...], server: Connection, as_json: bool) -> None:
    """Take pins of the router NAME back: what it is read for then is its traffic, or another reason."""
    with server.client() as client:
        missing = [one for one in interfaces if one not in client.get_device(name).t0["pins"]]
    if missing:
        raise click.ClickException(
            f"not pinned: {plain(', '.join(missing))}; `mtd device pins {name}` lists what is"
        )
    _change(name, server, as_json, lambda pins: [one for one in pins if one not in interfaces])


@click.command()
@click.argument("name")
@server_option
@json_option
@explain_errors
def pins(name: str, server: Connection, as_json: bool) -> None:
    """List what is pinned of the router NAME."""
    with server.client() as client:
        _show(client, client.get_device(name), as_json)


def _change(name: str, server: Connection, as_json: bool, change: Callable[[list[str]], list[str]]) -> None:
    with server.client() as client:
        _show(client, _changed(client, name, change), as_json)


def _changed(
    client: MtdClient, name: str, change: Callable[[list[str]], list[str]], tries: int = _TRIES
) -> Device:
    before = client.get_device(name)
    t0: dict[str, Any] = {**before.t0, "pins": change(list(before.t0["pins"]))}
    try:
        return client.update_device(before.id, revision=before.revision, t0=t0)
    except MtdClientError as error:
        if error.code != "ABORTED" or tries <= 1:
            raise
    return _changed(client, name, change, tries - 1)


def _show(client: MtdClient, device: Device, as_json: bool) -> None:
    pinned = list(device.t0["pins"])
    found = client.ask(watching.interfaces(device.id))
    if as_json:
        print_json({"device": device.name, "pins": pinned, "unmatched": list(found.unmatched_pins)})
        return
    console.print(f"{plain(device.name)}: pinned {plain(', '.join(pinned)) if pinned else 'is nothing'}")
    _warn(found)


def _warn(found: watching.Interfaces) -> None:
    # Before a router was polled nothing is known of its interfaces.
    if found.unmatched_pins and found.interfaces:
        names = plain(", ".join(found.unmatched_pins))
        console.print(
            f"[yellow]No interface is called {names}:[/] take the pin back, or wait for it to appear"
        )
