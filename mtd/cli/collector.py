"""``mtd collector``: who collects for a tenant."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from mtd.cli.ca import all_collectors
from mtd.cli.collector_polling import COMMANDS, UNIMPLEMENTED, all_pollers, describe, polls, reported
from mtd.cli.collector_status import status
from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.cli.times import duration_of
from mtd.client import MtdClient, polling
from mtd.client import collectors as calls
from mtd.client.collectors import Collector
from mtd.client.errors import MtdClientError
from mtd.client.polling import Poller


@click.group()
def collector() -> None:
    """Collectors: daemons elsewhere that this hub knows by their certificates.

    With `daemon.role = "collector"`, `mtd run` polls what its hub assigns and sends it what routers tell: docs/edges.md.

    \b
    mtd collector invite edge-1 --out edge-1.token    on the hub
    mtd enroll --server hub.example:50051 --token-file edge-1.token    on the collector
    mtd collector status               on the collector: what waits there to be sent
    mtd collector list
    mtd collector disable edge-1       shut out until it is enabled
    mtd collector revoke edge-1        its certificates end: invite it again
    mtd collector drain edge-1         others poll its devices, before it is stopped
    mtd collector sites edge-1 graz-1  it polls the devices of that site
    mtd collector devices edge-1       what it polls
    """


for _command in COMMANDS:
    collector.add_command(_command)


@collector.command()
@click.argument("name")
@click.option(
    "--life", help="How long the token is good: 10m, 2h; a day at most. Default: as configured, 10m."
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write the token to, which only you can read. Default: it is printed.",
)
@server_option
@json_option
@explain_errors
def invite(name: str, life: str | None, out: Path | None, server: Connection, as_json: bool) -> None:
    """Make a token with which the collector NAME, known or new, enrols: once, and soon.

    The token tells the collector how to know this hub: hand it over as you would a
    password. A collector that enrols again gets a new certificate, and those that it
    had end.
    """
    from mtd.security.generations import write_private

    if out is not None and out.exists():
        raise click.ClickException(f"{out} is there already: name another file, or move it away")
    life_s = int(duration_of(life, "--life").total_seconds()) if life else 0
    with server.client() as client:
        made = client.ask(calls.invite(name, life_s=life_s))
    if out is not None:
        write_private(out, made.token.encode() + b"\n")
    if as_json:
        shown = {"collector": made.collector.name, "expires_at": made.expires_at}
        print_json({**shown, "file": out} if out else {**shown, "token": made.token})
        return
    until = made.expires_at.astimezone().strftime("%H:%M:%S")
    if out is None:
        click.echo(made.token)
        console.print(f"[dim]Good once, until {until}. On the collector: mtd enroll --server HOST:PORT[/]")
    else:
        console.print(f"The token is in {plain(out)}, good once, until {until}.")


@collector.command("list")
@server_option
@json_option
@explain_errors
def list_collectors(server: Connection, as_json: bool) -> None:
    """List the collectors of your tenant, and the hubs that poll: how they stand, and what they poll."""
    known = {one.id: one for one in all_collectors(server)}
    pollers = {one.id: one for one in all_pollers(server)}
    names = {key: one.name for key, one in pollers.items()} | {key: one.name for key, one in known.items()}
    rows = [(known.get(key), pollers.get(key)) for key in sorted(names, key=lambda key: (names[key], key))]
    if as_json:
        print_json([_record(*row) for row in rows])
        return
    table = Table(
        *("Name", "State", "Polls", "Devices", "Lease", "Version", "Waits there", "Last push", "Clock"),
        *("Last seen", "From", "Certificate expires"),
    )
    for row in rows:
        table.add_row(*_cells(*row))
    console.print(table)


def _record(one: Collector | None, poller: Poller | None) -> dict[str, Any]:
    """Return all that is known of a collector; ``polling`` is how it takes part, and a hub has nothing else."""
    found: dict[str, Any] = {} if one is None else dataclasses.asdict(one)
    if one is None and poller is not None:
        found = {"id": poller.id, "name": poller.name, "state": "hub"}
    return {**found, "polling": None if poller is None else dataclasses.asdict(poller)}


def _cells(one: Collector | None, poller: Poller | None) -> list[str]:
    polling = [""] * 7
    if poller is not None:
        lease = f"{poller.lease_left_s:.1f} s" if poller.lease_left_s > 0 else "none"
        polling = [polls(poller), str(poller.devices), lease, plain(poller.version), *reported(poller)]
    if one is None:
        return ["" if poller is None else plain(poller.name), "hub", *polling, "", "", ""]
    good = [certificate.expires_at for certificate in one.certificates if certificate.revoked_at is None]
    seen = one.last_seen_at.astimezone().strftime("%Y-%m-%d %H:%M") if one.last_seen_at else "never"
    expires = max(good).astimezone().strftime("%Y-%m-%d") if good else "has none"
    return [plain(one.name), one.state, *polling, seen, plain(one.last_seen_peer), expires]


@collector.command()
@click.argument("name", metavar="COLLECTOR")
@server_option
@json_option
@explain_errors
def show(name: str, server: Connection, as_json: bool) -> None:
    """Show the COLLECTOR, by name or id: how it takes part, what it polls, and its certificates."""
    with server.client() as client:
        poller = _poller(client, name)
        try:
            found = client.ask(calls.get(name if poller is None else poller.id))
        except MtdClientError as error:
            if poller is None or error.code != "NOT_FOUND":
                raise
            found = None  # a hub that polls
    if as_json:
        print_json(_record(found, poller))
        return
    if found is not None:
        console.print(
            f"{plain(found.name)} is {found.state}, id {found.id}, invited by {plain(found.created_by)}."
        )
        for tenant in found.served_tenant_ids:
            console.print(f"It serves the tenant {tenant} as well.")
    for line in [] if poller is None else describe(poller):
        console.print(line, soft_wrap=True)
    if found is not None:
        console.print(_certificates(found))


def _poller(client: MtdClient, name: str) -> Poller | None:
    """Return how a collector takes part; None if the hub is older than that question."""
    try:
        return client.ask(polling.get(name))
    except MtdClientError as error:
        if error.code != UNIMPLEMENTED:
            raise
        return None


def _certificates(found: Collector) -> Table:
    table = Table("Serial", "Made", "Expires", "Revoked", "Why")
    for one in found.certificates:
        days = [one.issued_at, one.expires_at, one.revoked_at]
        table.add_row(
            one.serial,
            *("" if day is None else day.astimezone().strftime("%Y-%m-%d %H:%M") for day in days),
            plain(one.revoke_reason),
        )
    return table


@collector.command()
@click.argument("name", metavar="COLLECTOR")
@server_option
@json_option
@explain_errors
def disable(name: str, server: Connection, as_json: bool) -> None:
    """Shut the COLLECTOR out, at once; what it is doing ends."""
    with server.client() as client:
        found = client.ask(calls.disable(name))
    _told(found, "is shut out. Let it in again: mtd collector enable", as_json=as_json)


@collector.command()
@click.argument("name", metavar="COLLECTOR")
@server_option
@json_option
@explain_errors
def enable(name: str, server: Connection, as_json: bool) -> None:
    """Let the COLLECTOR in again."""
    with server.client() as client:
        found = client.ask(calls.enable(name))
    _told(found, "is let in", as_json=as_json)


@collector.command()
@click.argument("name", metavar="COLLECTOR")
@click.option("--serial", default="", help="Only the certificate with this serial number.")
@click.option("--reason", default="", help="Why, for those who look later.")
@server_option
@json_option
@explain_errors
def revoke(name: str, serial: str, reason: str, server: Connection, as_json: bool) -> None:
    """End the certificates of the COLLECTOR, and tokens that it didn't use, at once and for good."""
    with server.client() as client:
        ended = client.ask(calls.revoke(name, serial, reason))
    if as_json:
        print_json({"collector": name, "revoked": ended})
    else:
        console.print(f"{ended} ended. To let {plain(name)} in again: mtd collector invite {plain(name)}")


@collector.command()
@click.argument("name", metavar="COLLECTOR")
@click.argument("tenants", nargs=-1, metavar="[TENANT]...")
@server_option
@json_option
@explain_errors
def serve(name: str, tenants: tuple[str, ...], server: Connection, as_json: bool) -> None:
    """Let the COLLECTOR serve these TENANTs, by name or id, beside its own; none if none is named.

    For super-admins. It says with each call which of them it works for.
    """
    with server.client() as client:
        found = client.ask(calls.serve(name, tenants))
    _told(found, f"serves {len(found.served_tenant_ids)} tenants beside its own", as_json=as_json)


def _told(found: Collector, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        console.print(f"{plain(found.name)} {what}.")


collector.add_command(status)
