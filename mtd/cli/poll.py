"""``mtd poll HOST``: live values of one router, without any database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.live import Live
from rich.table import Table

from mtd.cli.output import console, explain_errors, format_rate, json_option, plain, print_json
from mtd.cli.reactor import run_on_reactor
from mtd.cli.router_options import login_options, read_password
from mtd.model.device import DEFAULT_TENANT_ID, Device, InterfaceNaming, TlsMode

if TYPE_CHECKING:
    from mtd.app.direct import DirectPoll
    from mtd.model.observation import ProbeFacts


@click.command()
@click.argument("host")
@login_options
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.2, 3600),
    default=1.0,
    show_default=True,
    help="Seconds between polls.",
)
@click.option(
    "--count", type=click.IntRange(1), help="Stop after so many polls. Default: go on until Ctrl-C."
)
@json_option
@explain_errors
def poll(host: str, interval_s: float, count: int | None, as_json: bool, **login: Any) -> None:
    """Print live values of the router HOST, with no daemon and no database.

    It logs in once, keeps the session, and reads what the T0 tier reads. Rates
    are there from the second poll on. With --json, each poll is one line.
    """
    mode = TlsMode(login["tls_mode"])
    device = Device(
        device_id="",
        tenant_id=DEFAULT_TENANT_ID,
        name=host,
        host=host,
        port=login["port"] or (8728 if mode is TlsMode.OFF else 8729),
        username=login["username"],
        password=read_password(login["password"], login["password_file"]),
        tls_mode=mode,
        tls_fingerprint=login["fingerprint"],
        naming=InterfaceNaming(login["naming"]),
    )
    run_on_reactor(_poll(device, interval_s, count, as_json))


async def _poll(device: Device, interval_s: float, count: int | None, as_json: bool) -> None:
    from mtd.app.direct import DirectPoller
    from mtd.plugin.manager import PluginManager

    poller = DirectPoller(device, PluginManager.load(), interval_s)
    try:
        facts = await poller.open()
        number = 0
        with Live(console=console, auto_refresh=False, transient=False) as live:
            async for result in poller.polls():
                number += 1
                if as_json:
                    values = {reading.key: reading.value for reading in result.readings}
                    print_json(
                        {
                            "collected_us": result.collected_us,
                            "duration_s": result.duration_s,
                            "values": values,
                            "changes": result.changes,
                        }
                    )
                else:
                    for change in result.changes:
                        live.console.print(plain(change.message))
                    live.update(_render(device, facts, result), refresh=True)
                if count is not None and number >= count:
                    return
    finally:
        await poller.close()


_COLUMNS = ("rx_bps", "tx_bps", "rx_pps", "tx_pps", "rx_errors_per_s", "rx_drops_per_s")


def _render(device: Device, facts: ProbeFacts, result: DirectPoll) -> Table:
    interfaces: dict[str, dict[str, float]] = {}
    for reading in result.readings:
        if reading.label:
            interfaces.setdefault(reading.label, {})[reading.metric.rpartition(".")[2]] = reading.value
    title = plain(f"{facts.identity} ({device.host})  RouterOS {facts.routeros_version}  {facts.board_name}")
    table = Table("Interface", "State", "rx", "tx", "rx p/s", "tx p/s", "rx err/s", "rx drop/s", title=title)
    for label, values in sorted(interfaces.items()):
        running = values.get("oper_state")
        state = "" if running is None else ("[green]up[/]" if running else "[red]down[/]")
        cells = [format_rate(values.get("rx_bps")), format_rate(values.get("tx_bps"))]
        cells += ["" if values.get(name) is None else f"{values[name]:,.0f}" for name in _COLUMNS[2:]]
        table.add_row(plain(label), state, *cells)
    system = {reading.metric: reading.value for reading in result.readings if not reading.label}
    table.caption = "   ".join(
        f"{plain(key.removeprefix('system.'))} {value:,.0f}" for key, value in sorted(system.items())
    )
    return table
