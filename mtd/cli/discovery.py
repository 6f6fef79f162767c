"""``mtd discovery``: routers that could be added, and who is next to whom."""

from __future__ import annotations

from typing import Any

import click
from rich.progress import Progress
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import (
    console,
    explain_errors,
    json_option,
    plain,
    print_json,
    progress_console,
    server_option,
)
from mtd.cli.router_options import (
    login_options,
    place_options,
    places_from,
    read_password,
    settings_from,
)
from mtd.client import discovery as calls
from mtd.client.discovery import Neighbor, Proposal, ScanFinding

_PAGE = 500
_SHORT_ID = 8


@click.group()
def discovery() -> None:
    """Find routers that aren't in the inventory, and see how routers are linked."""


@discovery.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(["new", "ignored", "adopted"]),
    help="Of this state; may be given several times. Default: new.",
)
@click.option("--all", "include_known", is_flag=True, help="Also those that the inventory has.")
@server_option
@json_option
@explain_errors
def list_proposals(states: tuple[str, ...], include_known: bool, server: Connection, as_json: bool) -> None:
    """List what was found: announced by MNDP, seen by polled routers, or answered a scan."""
    found: list[Proposal] = []
    with server.client() as client:
        token = ""
        while True:
            page = client.ask(
                calls.proposals(states, include_known=include_known, page_size=_PAGE, page_token=token)
            )
            found += page.proposals
            token = page.next_page_token
            if not token:
                break
    if as_json:
        print_json(found)
        return
    if not found:
        console.print(
            "Nothing new was found. Switch on discovery.mndp, or scan a subnet: mtd discovery scan SUBNET"
        )
        return
    console.print(_proposals_table(found))
    console.print("Add one: mtd discovery adopt ID --user USER. Hide one: mtd discovery ignore ID")


@discovery.command()
@click.argument("subnet")
@click.option("--web", is_flag=True, help="Look for REST on the ports 443 and 80, too.")
@server_option
@json_option
@explain_errors
def scan(subnet: str, web: bool, server: Connection, as_json: bool) -> None:
    """Look for routers in SUBNET, which discovery.subnets of the configuration has to list.

    Nobody is logged in to. Ctrl-C ends the scan.
    """
    findings: list[ScanFinding] = []
    progress = Progress(console=progress_console, transient=True, disable=as_json)
    done = addresses = 0
    try:
        with server.client() as client, client.run(calls.scan(subnet, web=web)) as run, progress:
            task = progress.add_task("scanning", total=None)
            for report in run:
                done, addresses = report.done, report.addresses
                findings += report.findings
                progress.update(task, completed=done, total=addresses)
    except KeyboardInterrupt:
        pass  # the way to end it
    if as_json:
        print_json({"addresses": addresses, "done": done, "findings": findings})
        return
    table = Table("Address", "Port", "What answers")
    for finding in findings:
        table.add_row(plain(finding.address), str(finding.port), plain(finding.service))
    console.print(table)
    routers = {finding.address for finding in findings if finding.service != "open"}
    console.print(
        f"{done} of {addresses} addresses looked at, {len(routers)} routers. See: mtd discovery list"
    )


@discovery.command()
@click.argument("proposal", metavar="ID")
@click.option("--name", default="", help="Name in the inventory. Default: the one that it gives itself.")
@click.option("--host", default="", help="Host name or address. Default: the one that it was seen at.")
@login_options
@place_options
@server_option
@json_option
@explain_errors
def adopt(proposal: str, name: str, host: str, server: Connection, as_json: bool, **login: Any) -> None:
    """Add the router of the proposal ID to the inventory. Polling begins at once.

    \b
    mtd discovery adopt 3f2a9c01 --user monitor
    mtd discovery adopt 3f2a9c01 --name core-7 --user monitor --tls anonymous
    """
    password = read_password(login.pop("password"), login.pop("password_file"))
    named = {key: value for key, value in (("name", name), ("host", host)) if value}
    settings = settings_from(login) | places_from(login) | named
    with server.client() as client:
        added = client.ask(calls.adopt(proposal, password, settings))
    if as_json:
        print_json(added)
    else:
        console.print(
            f"{plain(added.name)} at {plain(added.host)} is in the inventory. See: mtd device test {plain(added.name)}"
        )


@discovery.command()
@click.argument("proposal", metavar="ID")
@server_option
@json_option
@explain_errors
def ignore(proposal: str, server: Connection, as_json: bool) -> None:
    """Hide the proposal ID: it isn't listed any more."""
    _decide(proposal, server, as_json=as_json, restore=False)


@discovery.command()
@click.argument("proposal", metavar="ID")
@server_option
@json_option
@explain_errors
def restore(proposal: str, server: Connection, as_json: bool) -> None:
    """List the proposal ID again that was ignored."""
    _decide(proposal, server, as_json=as_json, restore=True)


def _decide(proposal: str, server: Connection, *, as_json: bool, restore: bool) -> None:
    with server.client() as client:
        found = client.ask(calls.ignore(proposal, restore=restore))
    if as_json:
        print_json(found)
    else:
        console.print(f"{plain(_called(found))} is {'listed again' if restore else 'ignored'}.")


@discovery.command()
@click.argument("device", default="")
@server_option
@json_option
@explain_errors
def neighbors(device: str, server: Connection, as_json: bool) -> None:
    """Show who is next to the router DEVICE, or to all of them: interface by interface."""
    found: list[Neighbor] = []
    with server.client() as client:
        token = ""
        while True:
            page = client.ask(calls.neighbors(device, page_size=_PAGE, page_token=token))
            found += page.neighbors
            token = page.next_page_token
            if not token:
                break
    if as_json:
        print_json(found)
        return
    table = Table(
        "Device", "Interface", "Neighbour", "Its interface", "Address", "MAC", "Model", "By", "In inventory"
    )
    for link in found:
        table.add_row(
            plain(link.seen_at.device_name),
            plain(link.seen_at.interface),
            plain(link.identity),
            plain(link.interface_name),
            plain(link.address),
            plain(link.mac_address),
            plain(link.board or link.platform),
            plain(link.discovered_by),
            plain(link.neighbor_device_name),
        )
    console.print(table)


def _proposals_table(found: list[Proposal]) -> Table:
    table = Table()
    for heading in ("ID", "Name", "Address", "MAC"):
        table.add_column(heading, no_wrap=True, overflow="fold")
    for heading in ("Model", "Version", "Found by", "Seen at", "Last seen", "State"):
        table.add_column(heading)
    for one in found:
        state = one.state if not one.known_by else f"{one.state}: is {one.known_device_name} ({one.known_by})"
        seen_at = ", ".join(f"{where.device_name} {where.interface}" for where in one.seen_at)
        table.add_row(
            one.id[:_SHORT_ID],
            plain(one.identity),
            plain(one.address),
            plain(one.mac_address),
            plain(one.board),
            plain(one.version),
            ", ".join(one.found_by),
            plain(seen_at),
            one.last_seen_at.astimezone().strftime("%Y-%m-%d %H:%M"),
            plain(state),
        )
    return table


def _called(proposal: Proposal) -> str:
    return proposal.identity or proposal.address or proposal.mac_address
