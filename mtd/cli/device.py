"""``mtd device``: the inventory of the running daemon."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.device_capabilities import capability_record, capability_table, way_lines
from mtd.cli.device_export import export_devices
from mtd.cli.device_import import import_devices
from mtd.cli.device_interfaces import list_interfaces, pin, pins, unpin
from mtd.cli.device_poll import poll_now
from mtd.cli.device_settings import changes_from, placement_from
from mtd.cli.output import (
    console,
    explain_errors,
    json_option,
    plain,
    print_json,
    server_option,
)
from mtd.cli.router_options import (
    login_options,
    place_options,
    places_from,
    read_password,
    settings_from,
)
from mtd.cli.way_options import way_options, way_settings_from
from mtd.client.polling import place
from mtd.client.values import ConnectionTest, Device

_STATUS_STYLE = {"up": "green", "degraded": "yellow", "down": "red", "disabled": "dim"}


@click.group()
def device() -> None:
    """Add, list, test, change and remove routers. Asks the running daemon."""


@device.command()
@click.argument("name")
@click.argument("host")
@login_options
@way_options
@place_options
@click.option(
    "--label", "labels", multiple=True, metavar="KEY=VALUE", help="A free label; may be given several times."
)
@server_option
@json_option
@explain_errors
def add(
    name: str, host: str, server: Connection, labels: tuple[str, ...], as_json: bool, **login: Any
) -> None:
    """Add the router at HOST under NAME. Polling begins at once.

    \b
    mtd device add core-1 10.0.0.1 --user monitor
    mtd device add core-2 10.0.0.2 --user monitor --tls pinned --fingerprint 4F:...
    mtd device add core-3 10.0.0.3 --user monitor --rest-port 443 --rest-tls verify --snmp 2c
    """
    password = read_password(login.pop("password"), login.pop("password_file"))
    with server.client() as client:
        created = client.create_device(
            name=name,
            host=host,
            password=password,
            labels=_labels(labels),
            **settings_from(login),
            **way_settings_from(login),
            **places_from(login),
        )
    _show([created], as_json)


@device.command("list")
@click.option("--site", default="", help="Only routers at this site, by name or id.")
@click.option("--group", default="", help="Only routers in this group, by name or id.")
@server_option
@json_option
@explain_errors
def list_devices(site: str, group: str, server: Connection, as_json: bool) -> None:
    """List all routers with their status."""
    with server.client() as client:
        _show(client.list_devices(site=site, group=group), as_json)


@device.command()
@click.argument("name")
@server_option
@json_option
@explain_errors
def show(name: str, server: Connection, as_json: bool) -> None:
    """Show what is known about the router NAME."""
    with server.client() as client:
        found = client.get_device(name)
    if as_json:
        print_json(found)
        return
    table = Table("Device", plain(found.name))
    for key in ("id", "host", "port", "username", "tls_mode", "status", "status_reason", "last_seen_at"):
        table.add_row(key.replace("_", " "), plain(getattr(found, key) or ""))
    for key in ("routeros_version", "board_name", "identity", "site", "labels", "notes", "revision"):
        table.add_row(key.replace("_", " "), plain(getattr(found, key) or ""))
    table.add_row("groups", plain(", ".join(found.groups)))
    for purpose in ("readonly", "diagnostics", "config_audit"):
        if used := getattr(found, f"{purpose}_credentials"):
            table.add_row(f"credentials.{purpose.replace('_', '-')}", plain(used))
    capabilities = [plain(f"{key} {detail}".strip()) for key, detail in sorted(found.capabilities.items())]
    table.add_row("can do", "\n".join(capabilities))
    table.add_row("ways", "\n".join(way_lines(found)))
    console.print(table)


@device.command()
@click.argument("name")
@server_option
@json_option
@explain_errors
def capabilities(name: str, server: Connection, as_json: bool) -> None:
    """Show what the router NAME can do, as it was last probed, and by which ways it is asked.

    What it wasn't asked, or didn't answer, is in neither list: nothing is known of it.
    """
    with server.client() as client:
        found = client.get_device(name)
    if as_json:
        print_json(capability_record(found))
    else:
        console.print(capability_table(found))


@device.command("set")
@click.argument("name")
@click.argument("settings", nargs=-1, required=True, metavar="KEY=VALUE...")
@server_option
@json_option
@explain_errors
def set_settings(name: str, settings: tuple[str, ...], server: Connection, as_json: bool) -> None:
    """Change settings of the router NAME: host, port, username, tls_mode, enabled, interface_naming, ...

    \b
    mtd device set core-1 interface_naming=both enabled=false
    mtd device set core-1 interval:t0=5 label:role=core
    mtd device set core-1 t0:interfaces=all   reads all of them each second; a number, or nothing for the default
    mtd device set core-1 password=-          asks; password=env takes MTD_PASSWORD
    mtd device set core-1 rest_port=443 rest_tls_mode=verify snmp_version=2c snmp_community=-
    mtd device set core-1 site=graz-1 groups=core,noc
    mtd device set core-1 collector=edge-1    polls it whenever it can; nothing: any collector
    mtd device set core-1 redundancy=2        two collectors poll it; nothing: as its site says

    Known: host, port, username, password, tls_mode, tls_fingerprint, enabled,
    interface_naming, code_page, connect_timeout_s, command_timeout_s, notes,
    name, ways, rest_port, rest_tls_mode, rest_tls_fingerprint, snmp_version,
    snmp_port, snmp_community, snmp_username, snmp_auth, snmp_auth_password,
    snmp_priv, snmp_priv_password, site, groups, collector, redundancy, t0:interfaces, t0:metrics, label:KEY and interval:TIER. Labels,
    intervals and limits that aren't named stay; an empty value takes one away.
    """
    placement, others = placement_from(settings)
    with server.client() as client:
        if placement:
            client.ask(place([name], **placement))
        if others:
            changes = changes_from(others, lambda: client.get_device(name))
            _show([client.update_device(name, **changes)], as_json)
        else:
            _show([client.get_device(name)], as_json)


@device.command()
@click.argument("name")
@server_option
@json_option
@explain_errors
def remove(name: str, server: Connection, as_json: bool) -> None:
    """Stop polling the router NAME and remove it. What was observed stays."""
    with server.client() as client:
        client.delete_device(name)
    if as_json:
        print_json({"removed": name})
    else:
        console.print(f"{plain(name)} is removed.")


@device.command()
@click.argument("name")
@server_option
@json_option
@explain_errors
def test(name: str, server: Connection, as_json: bool) -> None:
    """Connect to the router NAME and log in, step by step; say what is wrong and what to do.

    Ends with code 1 if the router can't be polled like this.
    """
    with server.client() as client:
        result = client.test_connection(name)
    if as_json:
        print_json(result)
    else:
        _show_test(result)
    if not result.ok:
        raise SystemExit(1)


@device.command()
@click.argument("name")
@server_option
@json_option
@explain_errors
def refresh(name: str, server: Connection, as_json: bool) -> None:
    """Probe now what the router NAME can do."""
    with server.client() as client:
        _show([client.refresh_capabilities(name)], as_json)


device.add_command(import_devices)
device.add_command(export_devices)
device.add_command(poll_now)
for command in (list_interfaces, pin, unpin, pins):
    device.add_command(command)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.ClickException(f"{text!r} is not KEY=VALUE")
    return key, value


def _labels(texts: tuple[str, ...]) -> dict[str, str]:
    return dict(_pair(text) for text in texts)


def _show(devices: list[Device], as_json: bool) -> None:
    if as_json:
        print_json(devices)
        return
    table = Table()
    for name in ("Name", "Host", "Status"):
        table.add_column(name, no_wrap=True, overflow="fold")
    for name in ("Last seen", "RouterOS", "Model"):
        table.add_column(name)
    table.add_column("Reason", min_width=20)
    for found in devices:
        style = _STATUS_STYLE.get(found.status, "dim")
        seen = (
            found.last_seen_at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if found.last_seen_at else "never"
        )
        reason = "" if found.status == "up" else found.status_reason
        status = f"[{style}]{plain(found.status)}[/]"
        host = f"[{found.host}]" if ":" in found.host else found.host
        table.add_row(
            plain(found.name),
            plain(f"{host}:{found.port}"),
            status,
            seen,
            plain(found.routeros_version),
            plain(found.board_name),
            plain(reason),
        )
    console.print(table)


def _show_test(result: ConnectionTest) -> None:
    for step in result.steps:
        mark = "[green]ok[/]  " if step.ok else "[red]fail[/]"
        name = f"{step.way:4} {step.name:8}"
        console.print(f"{mark} {name} {step.duration_us / 1000:8.1f} ms  {plain(step.detail)}")
    if result.ok:
        what = plain(f"RouterOS {result.routeros_version} on {result.board_name}")
        console.print(f"[green]{plain(result.identity)}[/]: {what}, over {plain(result.serves or 'api')}")
    else:
        console.print(f"[red]{plain(result.outcome)}[/]: {plain(result.reason)}")
