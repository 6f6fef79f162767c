"""``mtd flows``: who talks most, how that went over time, who had an address and a port, and whether it is all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import click

from mtd.cli.connection import Connection
from mtd.cli.flow_screens import comparison_table, over_time_table, ranking_table, records_table
from mtd.cli.output import (
    console,
    explain_errors,
    json_option,
    print_json,
    progress_console,
    server_option,
)
from mtd.cli.times import duration_of, moment_of, span_of, span_options
from mtd.client import MtdClient
from mtd.client import flows as calls
from mtd.client.flow_values import FlowRecord

_PAGE = 1000
_LAST = "1h"
_NOTHING = (
    "No flow of that time is stored. Routers send flows if they are told to: see docs/flows.md, which says what mtd drops"
    " and counts, too."
)

_dimension = click.argument(
    "dimension", metavar="[DIMENSION]", type=click.Choice(calls.DIMENSIONS), default="src_address"
)
_device_option = click.option(
    "--device", "-d", "devices", multiple=True, help="Only of this device; may be repeated."
)
_order_option = click.option(
    "--by",
    "order_by",
    type=click.Choice(calls.ORDERS),
    default="octets",
    show_default=True,
    help="Largest by what.",
)


class _Protocol(click.ParamType):  # type: ignore[type-arg]
    name = "protocol"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of a protocol."""
        text = str(value).lower()
        if text in calls.PROTOCOLS:
            return calls.PROTOCOLS[text]
        if not text.isdecimal() or int(text) > 255:
            self.fail(f"{value!r} is neither a number nor one of {', '.join(calls.PROTOCOLS)}", param, ctx)
        return int(text)


_PORT = click.IntRange(0, 65_535)
_CONDITIONS = (
    click.option("--address", help="Only from or to this address or prefix."),
    click.option("--src", "src_address", help="Only from it."),
    click.option("--dst", "dst_address", help="Only to it."),
    click.option("--port", type=_PORT, help="Only from or to this port."),
    click.option("--src-port", type=_PORT, help="Only from it."),
    click.option("--dst-port", type=_PORT, help="Only to it."),
    click.option("--protocol", type=_Protocol(), help="Only of this protocol, such as udp or 17."),
    click.option(
        "--interface", type=click.IntRange(0), help="Only through the interface of this number, in or out."
    ),
    click.option("--in", "in_interface", type=click.IntRange(0), help="Only what came in by it."),
    click.option("--out", "out_interface", type=click.IntRange(0), help="Only what went out by it."),
)


def _condition_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_CONDITIONS):
        command = option(command)
    return command


@click.group()
def flows() -> None:
    """Ask about flows: who talks most, how much when, who had an address and port at a second.

    Routers send them if they are told to:

    \b
    /ip traffic-flow set enabled=yes
    /ip traffic-flow target add dst-address=ADDRESS-OF-MTD port=2055 version=ipfix
    """


@flows.command()
@_dimension
@_device_option
@_order_option
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=10, show_default=True, help="Most rows.")
@_condition_options
@span_options
@server_option
@json_option
@explain_errors
def top(
    dimension: str,
    devices: Sequence[str],
    order_by: str,
    limit: int,
    last: str | None,
    since: str | None,
    until: str | None,
    server: Connection,
    as_json: bool,
    **conditions: Any,
) -> None:
    """Rank by DIMENSION, the source addresses unless told otherwise, over the last hour or another time.

    \b
    mtd flows top --last 24h                            who sent most
    mtd flows top conversation -d core-1 --by packets   who talked with whom
    mtd flows top dst_port --src 192.0.2.0/24           what customers use; up to six hours

    Dimensions: total, src_address, dst_address, conversation, src_port, dst_port, protocol, src_as, dst_as, in_interface,
    out_interface, src_country, dst_country, traffic.
    """
    start, end = span_of(last=last, since=since, until=until, default_last=_LAST)
    given = {name: value for name, value in conditions.items() if value is not None}
    call = calls.top(
        dimension, devices=devices, start=start, end=end, limit=limit, order_by=order_by,
        conditions=calls.Conditions(**given),  # type: ignore[typeddict-item]
    )  # fmt: skip
    with server.client() as client:
        found = client.ask(call)
    if as_json:
        print_json(found)
    elif not found.total.flows:
        progress_console.print(_NOTHING)
    else:
        console.print(ranking_table(dimension, found))


@flows.command()
@_dimension
@_device_option
@_order_option
@click.option("--limit", "-n", type=click.IntRange(1, 20), default=5, show_default=True, help="Most keys.")
@click.option("--step", default="5m", show_default=True, help="Whole minutes, up to a day: 1m, 1h, 1d.")
@span_options
@server_option
@json_option
@explain_errors
def series(
    dimension: str,
    devices: Sequence[str],
    order_by: str,
    limit: int,
    step: str,
    server: Connection,
    as_json: bool,
    **span: str | None,
) -> None:
    """Print how the largest of DIMENSION went over the last hour, or another time; on screen as mean rates.

    \b
    mtd flows series protocol --last 24h --step 1h
    mtd flows series in_interface -d core-1 --step 1m
    """
    start, end = span_of(**span, default_last=_LAST)
    step_s = int(duration_of(step, "--step").total_seconds())
    call = calls.series(
        dimension, devices=devices, start=start, end=end, limit=limit, order_by=order_by, step_s=step_s
    )
    with server.client() as client:
        found = client.ask(call)
    if as_json:
        print_json(found)
    elif not found.times:
        progress_console.print(_NOTHING)
    else:
        console.print(over_time_table(dimension, found))


@flows.command()
@click.argument("address", default="")
@click.option("--at", required=True, help="When, such as '2026-11-26 08:30:15'; local time without a zone.")
@click.option("--port", type=_PORT, help="The port that goes with the address, or alone.")
@click.option("--protocol", type=_Protocol(), help="Such as udp or 17.")
@click.option("--window", default="0s", show_default=True, help="So long before and after as well, up to 1h.")
@_device_option
@click.option("--limit", "-n", type=click.IntRange(1), default=200, show_default=True, help="Most records.")
@server_option
@json_option
@explain_errors
def search(
    address: str,
    at: str,
    port: int | None,
    protocol: int | None,
    window: str,
    devices: Sequence[str],
    limit: int,
    server: Connection,
    as_json: bool,
) -> None:
    """Find flows that ADDRESS, or a port of it, had at a second: before or after address translation.

    \b
    mtd flows search 198.51.100.7 --port 40123 --at '2026-11-26 08:30:15'
    mtd flows search 198.51.100.7 --at 2026-11-26T07:30:15Z --window 30s --json
    """
    wanted = {
        "time": moment_of(at, "--at"),
        "address": address,
        "port": port,
        "protocol": protocol,
        "window_s": int(duration_of(window, "--window").total_seconds()),
        "devices": devices,
    }
    with server.client() as client:
        found = islice(_records(client, wanted, min(limit, _PAGE)), limit)
        if as_json:
            for record in found:
                print_json(record)
            return
        records = list(found)
    if not records:
        progress_console.print("Nobody told of such a flow at that time.")
        return
    console.print(records_table(records))


@flows.command()
@_device_option
@span_options
@server_option
@json_option
@explain_errors
def interfaces(
    devices: Sequence[str],
    server: Connection,
    as_json: bool,
    **span: str | None,
) -> None:
    """Compare what flows tell of interfaces with what these counted: whether flows tell of everything.

    \b
    mtd flows interfaces -d core-1 --last 24h
    """
    start, end = span_of(**span, default_last=_LAST)
    with server.client() as client:
        found = client.ask(calls.interfaces(devices=devices, start=start, end=end))
    if as_json:
        print_json(found)
    elif not found.interfaces:
        progress_console.print(_NOTHING)
    else:
        console.print(comparison_table(found.interfaces, found.left_out))


def _records(client: MtdClient, wanted: dict[str, Any], size: int) -> Iterator[FlowRecord]:
    token = ""
    while True:
        found = client.ask(calls.search(**wanted, page_size=size, page_token=token))
        yield from found.flows
        token = found.next_page_token
        if not token:
            return
