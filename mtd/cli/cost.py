"""``mtd cost``: what it costs routers to be watched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, plain, print_json, server_option
from mtd.client import watching
from mtd.client.watching import CategoryCost, DeviceCost

_PAGE = 500
_HOUR_S = 3600.0


@click.command()
@click.argument("device", required=False, default="")
@server_option
@json_option
@explain_errors
def cost(device: str, server: Connection, as_json: bool) -> None:
    """Tell what it costs DEVICE, or all routers that the daemon polls, to be watched: per hour.

    By category of data: commands, bytes and rows that the router answered with,
    and seconds in which commands were under way. A command that several
    categories share is shared out among them. What none of them asked for is
    called mtd: logins, probes, uptime, commands that were not answered.
    """
    with server.client() as client:
        page = client.ask(watching.costs(device, page_size=_PAGE))
        devices = list(page.devices)
        while page.next_token:
            page = client.ask(watching.costs(page_size=_PAGE, page_token=page.next_token))
            devices += page.devices
    if as_json:
        print_json({"devices": devices, "categories": summed(devices)} if not device else devices[0])
    elif device:
        _show_device(devices[0])
    else:
        _show_all(devices)


def summed(devices: Iterable[DeviceCost]) -> list[CategoryCost]:
    """Return what the categories cost all routers together, the dearest first."""
    by_name: dict[str, list[CategoryCost]] = {}
    for one in (category for device in devices for category in device.categories):
        by_name.setdefault(one.category, []).append(one)
    busy_s = sum(one.busy_s for costs in by_name.values() for one in costs)
    found = [_sum(name, costs, busy_s) for name, costs in by_name.items()]
    return sorted(found, key=lambda one: (-one.busy_s, one.category))


def _sum(name: str, costs: Sequence[CategoryCost], all_busy_s: float) -> CategoryCost:
    busy_s = sum(one.busy_s for one in costs)
    return CategoryCost(
        name,
        sum(one.commands for one in costs),
        sum(one.received_bytes for one in costs),
        sum(one.sent_bytes for one in costs),
        sum(one.rows for one in costs),
        busy_s,
        busy_s / all_busy_s if all_busy_s else 0.0,
    )


def _show_device(device: DeviceCost) -> None:
    console.print(_table("Category", device.categories, device.total))
    _tell_time(device.counted_s)


def _show_all(devices: Sequence[DeviceCost]) -> None:
    if not devices:
        console.print("This daemon polls no router.")
        return
    table = _table("Router", [])
    for one in sorted(devices, key=lambda one: -one.total.busy_s):
        table.add_row(plain(one.device_name), *_cells(one.total), "")
    console.print(table)
    console.print(_table("Category", summed(devices)))
    _tell_time(min(one.counted_s for one in devices))


def _table(first: str, rows: Iterable[CategoryCost], total: CategoryCost | None = None) -> Table:
    table = Table(first)
    for name in ("Commands/h", "Received kB/h", "Sent kB/h", "Rows/h", "Busy s/h", "Share"):
        table.add_column(name, justify="right")
    for one in rows:
        table.add_row(plain(one.category), *_cells(one), f"{100 * one.share:.1f} %")
    if total is not None:
        table.add_section()
        table.add_row("all", *_cells(total), "")
    return table


def _cells(one: CategoryCost) -> list[str]:
    return [
        f"{one.commands:,.0f}",
        f"{one.received_bytes / 1000:,.1f}",
        f"{one.sent_bytes / 1000:,.1f}",
        f"{one.rows:,.0f}",
        f"{one.busy_s:,.1f}",
    ]


def _tell_time(counted_s: float) -> None:
    if counted_s < _HOUR_S:
        minutes = counted_s / 60
        console.print(
            f"Counted over {minutes:.1f} min so far: what is read once an hour, or at the start, shows as more than it is."
        )
