"""``mtd slo``."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.client import service_levels


@click.command()
@server_option
@json_option
@explain_errors
def slo(server: Connection, as_json: bool) -> None:
    """Show how well mtd does what it promises.

    Freshness of live values, collectors that are there, batches that are taken, routers whose end is told of in
    time: each with its target, the share that was good over an hour, a day and 30 days, and what is left of the error
    budget. A burn rate of 1 uses up the budget at the end of the window. Targets are set in the section [slo].
    """
    with server.client() as client:
        found = client.ask(service_levels.levels())
    if as_json:
        print_json([asdict(one) for one in found])
        return
    table = Table(box=None, pad_edge=False)
    for column in ("OBJECTIVE", "TARGET", "1 H", "1 D", "30 D", "BURN 1 H", "BUDGET LEFT"):
        table.add_column(column, justify="left" if column == "OBJECTIVE" else "right")
    for one in found:
        shares = (_share(one.windows[window].good_ratio) for window in ("1h", "1d", "30d"))
        burn = one.windows["1h"].burn_rate
        colour = "" if one.budget_left is None else "red" if one.budget_left < 0 else "green"
        left = _share(one.budget_left)
        table.add_row(
            plain(one.objective),
            f"{100 * one.target:g} %",
            *shares,
            "-" if burn is None else f"{burn:.1f}",
            f"[{colour}]{left}[/]" if colour else left,
        )
    console.print(table)
    for one in found:
        console.print(f"[dim]{plain(one.objective)}: {plain(one.description)}[/]")


def _share(ratio: float | None) -> str:
    return "-" if ratio is None else f"{100 * ratio:.2f} %"
