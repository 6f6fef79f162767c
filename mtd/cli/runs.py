"""``mtd runs``: the tools that were run on a device, and what they found."""

from __future__ import annotations

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.client import tools
from mtd.client.tools import StoredRun

_PAGE = 100


@click.command()
@click.argument("device")
@click.option(
    "--tool",
    type=click.Choice(["ping", "traceroute", "torch", "sniff", "bandwidth-test"]),
    help="Only runs of this tool.",
)
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most runs to show."
)
@server_option
@json_option
@explain_errors
def runs(device: str, tool: str | None, limit: int, server: Connection, as_json: bool) -> None:
    """List the tools that were run on DEVICE, the newest first: who had them run, and what came of it.

    With --json what they found is there as well: the rows of ping, traceroute and
    bandwidth tests, sums by protocol and port of torch and sniff.
    """
    found: list[StoredRun] = []
    token = ""
    with server.client() as client:
        while len(found) < limit:
            wanted = min(_PAGE, limit - len(found))
            page = client.ask(tools.runs(device, tool or "", page_size=wanted, page_token=token))
            found += page.runs
            token = page.next_page_token
            if not token:
                break
    if as_json:
        print_json(found)
        return
    if not found:
        console.print(f"No tool was run on {plain(device)} yet.")
        return
    _show(found)


def _show(found: list[StoredRun]) -> None:
    table = Table("Began", "Tool", "Arguments", "By", "Result")
    table.add_column("Rows", justify="right")
    table.add_column("Seconds", justify="right")
    for run in found:
        tool = f"{run.tool} from the collector" if run.from_collector else run.tool
        arguments = " ".join(f"{name}={value}" for name, value in run.arguments.items())
        result = f"{run.result}: {run.detail}" if run.detail else run.result
        table.add_row(
            f"{run.started_at.astimezone():%Y-%m-%d %H:%M:%S}",
            tool,
            plain(arguments),
            plain(run.caller),
            plain(result),
            f"{run.row_count:,}",
            f"{run.seconds:.1f}",
        )
    console.print(table)
