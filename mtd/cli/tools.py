"""``mtd ping``, ``traceroute``, ``torch``, ``sniff`` and ``bandwidth-test``: tools that routers run on demand."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import click
from rich.live import Live

from mtd.cli.connection import Connection
from mtd.cli.output import console, explain_errors, json_option, print_json, server_option
from mtd.cli.tool_screens import (
    BandwidthScreen,
    PingScreen,
    Screen,
    SniffScreen,
    TorchScreen,
    TracerouteScreen,
)
from mtd.client import tools as calls
from mtd.client.runs import RunCall
from mtd.client.tools import ToolEnd

_REDRAW_S = 0.2
_ENDS = {
    "time": "its time was over (--seconds)",
    "rows": "it had brought as many rows as it may (--rows)",
}

_COMMON = (
    click.argument("device"),
    click.option(
        "--seconds",
        type=click.FloatRange(min=0),
        default=0.0,
        help="How long it may run. Default and most are in the daemon's configuration.",
    ),
    click.option("--rows", type=click.IntRange(min=0), default=0, help="Stop after so many rows."),
    server_option,
    json_option,
)


def tool_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what all tools have."""
    for option in reversed(_COMMON):
        command = option(command)
    return command


def _run(server: Connection, call: RunCall[Any], screen: Screen[Any], *, as_json: bool) -> None:
    """Show what a run brings, until it ends or Ctrl-C ends it, on the router as well."""
    try:
        with server.client() as client, client.run(call) as run:
            if as_json:
                for part in run:
                    print_json({"end": part} if isinstance(part, ToolEnd) else dataclasses.asdict(part))
                return
            _show(run, screen)
    except KeyboardInterrupt:
        pass  # the way to end it


def _demand_address(address: str, *, from_collector: bool) -> None:
    """Only the collector knows where to aim without an address: at the router itself."""
    if not address and not from_collector:
        raise click.UsageError("name the ADDRESS that the router is to reach, or say --from-collector")


def _show(run: Any, screen: Screen[Any]) -> None:
    end, drawn = None, 0.0
    try:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            live.update(screen.draw(), refresh=True)
            for part in run:
                if isinstance(part, ToolEnd):
                    end = part
                    continue
                screen.take(part)
                if time.monotonic() - drawn >= _REDRAW_S:
                    drawn = time.monotonic()
                    live.update(screen.draw(), refresh=True)
    finally:
        # What came stays on the screen, however it ended; a refusal stands alone.
        if screen.shown() or end is not None:
            console.print(screen.draw())
    if end is not None and end.reason in _ENDS:
        console.print(f"It ended after {end.seconds:.1f} s: {_ENDS[end.reason]}.")


@click.command()
@tool_options
@click.argument("address", default="")
@click.option("--count", type=click.IntRange(min=0), default=0, help="How many requests.")
@click.option(
    "--interval",
    "interval_ms",
    type=click.IntRange(10, 5000),
    default=1000,
    help="Milliseconds between them.",
)
@click.option("--size", "size_bytes", type=int, default=0, help="Bytes of each, IP header included.")
@click.option("--source", "source_address", default="", help="Address to ping from.")
@click.option("--interface", default="", help="Interface to ping from.")
@click.option("--dont-fragment", "do_not_fragment", is_flag=True, help="Refuse to have them fragmented.")
@click.option("--from-collector", is_flag=True, help="Ping from the daemon's machine instead of the router.")
@explain_errors
def ping(device: str, address: str, server: Connection, as_json: bool, **options: Any) -> None:
    """Ping ADDRESS from the router DEVICE. The router's user needs the policy test.

    From the collector: DEVICE itself, or what the configuration lists.

    \b
    mtd ping core-1 192.0.2.7
    mtd ping core-1 --from-collector
    mtd ping core-1 192.0.2.7 --count 100 --interval 50 --size 1500 --dont-fragment
    """
    _demand_address(address, from_collector=options["from_collector"])
    _run(server, calls.ping(device, address, **options), PingScreen(), as_json=as_json)


@click.command()
@tool_options
@click.argument("address", default="")
@click.option("--count", type=click.IntRange(min=0), default=0, help="How many rounds. Default: 3.")
@click.option("--max-hops", type=click.IntRange(0, 255), default=0, help="Most hops. Default: 30.")
@click.option("--udp", is_flag=True, help="Probe with UDP instead of ICMP.")
@click.option("--names", "resolve_names", is_flag=True, help="Let the router look up the names of hops.")
@click.option("--source", "source_address", default="", help="Address to probe from.")
@click.option("--from-collector", is_flag=True, help="Trace from the daemon's machine instead of the router.")
@explain_errors
def traceroute(device: str, address: str, server: Connection, as_json: bool, **options: Any) -> None:
    """Trace the path from the router DEVICE to ADDRESS. The router's user needs the policy test."""
    _demand_address(address, from_collector=options["from_collector"])
    _run(server, calls.traceroute(device, address, **options), TracerouteScreen(), as_json=as_json)


@click.command()
@tool_options
@click.argument("interface")
@click.option("--source", default="", help="Only flows of this network; ::/0 for all of IPv6.")
@click.option("--destination", default="", help="Only flows to this network.")
@click.option("--protocol", "ip_protocol", default="", help="Only flows of this IP protocol, such as tcp.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Only flows with this port.")
@click.option("--vlan", "vlan_id", type=click.IntRange(0, 4095), default=0, help="Only flows of this VLAN.")
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["address", "protocol", "port", "vlan", "dscp"]),
    help="Tell flows apart by this; may be given several times. Default: address and protocol.",
)
@explain_errors
def torch(device: str, interface: str, server: Connection, as_json: bool, **options: Any) -> None:
    """Show who uses INTERFACE of the router DEVICE, second by second. Its user needs the policy sniff.

    While it runs the router does without fast path: its CPU has more to do.

    \b
    mtd torch core-1 ether1
    mtd torch core-1 ether1 --by address --by port --protocol tcp --seconds 30
    """
    _run(server, calls.torch(device, interface, **options), TorchScreen(), as_json=as_json)


@click.command()
@tool_options
@click.argument("interface")
@click.option("--address", default="", help="Only packets of this address or network, on either side.")
@click.option("--protocol", "ip_protocol", default="", help="Only packets of this IP protocol, such as udp.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Only packets with this port.")
@click.option("--mac", "mac_address", default="", help="Only packets with this MAC address.")
@click.option("--vlan", "vlan_id", type=click.IntRange(0, 4095), default=0, help="Only packets of this VLAN.")
@click.option(
    "--direction", type=click.Choice(["any", "rx", "tx"]), default="any", help="Only received or sent ones."
)
@explain_errors
def sniff(device: str, interface: str, server: Connection, as_json: bool, **options: Any) -> None:
    """List packets on INTERFACE of the router DEVICE by their headers. Its user needs the policy sniff.

    What is in the packets is never shown, and never leaves the daemon. While it
    runs the router does without fast path.
    """
    _run(server, calls.sniff(device, interface, **options), SniffScreen(), as_json=as_json)


@click.command("bandwidth-test")
@tool_options
@click.argument("address")
@click.option(
    "--protocol",
    type=click.Choice(["tcp", "udp"]),
    default="udp",
    show_default=True,
    help="UDP counts what gets lost; TCP takes what the path leaves it.",
)
@click.option(
    "--direction",
    type=click.Choice(["receive", "transmit", "both"]),
    default="receive",
    show_default=True,
    help="Who sends, as the router DEVICE sees it.",
)
@click.option(
    "--max-mbps",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Most Mb/s each way. Default: what the daemon allows.",
)
@click.option("--user", default="", help="User on the bandwidth server at ADDRESS.")
@click.option(
    "--password",
    envvar="MTD_BANDWIDTH_PASSWORD",
    default="",
    help="Its password; better in MTD_BANDWIDTH_PASSWORD.",
)
@explain_errors
def bandwidth_test(
    device: str, address: str, max_mbps: float, server: Connection, as_json: bool, **options: Any
) -> None:
    """Measure what the path from the router DEVICE to the router at ADDRESS carries.

    It loads the path: others on it will notice. The router's user needs the
    policy test; at ADDRESS the bandwidth server has to run (/tool/bandwidth-server).
    """
    call = calls.bandwidth_test(device, address, max_bps=round(max_mbps * 1e6), **options)
    _run(server, call, BandwidthScreen(), as_json=as_json)
