"""``mtd device poll``: the daemon polls a router at once."""

from __future__ import annotations

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option

_STYLE = {"polled": "green", "fresh": "green", "skipped": "yellow", "unfinished": "yellow"}


@click.command("poll")
@click.argument("name")
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    type=click.Choice(("t0", "t1", "t2", "t3")),
    help="Only this tier; may be given several times. Default: all.",
)
@server_option
@json_option
@explain_errors
def poll_now(name: str, tiers: tuple[str, ...], server: Connection, as_json: bool) -> None:
    """Have the daemon poll its router NAME now, instead of at the next regular times.

    What was polled a moment before isn't polled again, and what spares the
    router counts as ever. (mtd poll HOST reads a router by itself, without a daemon.)
    """
    with server.client() as client:
        polled = client.poll_now(name, tiers=tiers)
    if as_json:
        print_json(polled.tiers)
        return
    table = Table("Tier", "Result", "Commands", "Took", "Why")
    for one in polled.tiers:
        took = f"{one.duration_us / 1000:.1f} ms" if one.result == "polled" else ""
        commands = str(one.commands) if one.result == "polled" else ""
        result = f"[{_STYLE.get(one.result, 'dim')}]{plain(one.result)}[/]"
        table.add_row(plain(one.tier), result, commands, took, plain(one.detail))
    console.print(table)
