"""The command ``mtd lab``, also run as ``python -m mtd.lab``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from mtd.core.errors import Misconfigured
from mtd.lab import scenario as scenarios
from mtd.lab.runner import run
from mtd.lab.scenario import FlowForm, Scenario
from mtd.lab.service import Lab

_SHOWN_ROUTERS = 20
_HELP = """Simulate MikroTik routers on this machine, to try mtd or any API client.

Each router has a port on 127.0.0.1 and speaks the RouterOS API as 6.49 or
7.x does. Its counters follow a seeded clock, so that a test knows what the
true values were at each millisecond. Ctrl-C stops it.

\b
Examples:
  mtd lab                                six routers that behave
  mtd lab -n 100 -i 48 --base-port 9000  a hundred, on ports 9000 to 9099
  mtd lab -s reboot                      one of them reboots, twice
  mtd lab --state-file lab.json &        for scripts: where to connect, in JSON
  mtd lab --own-addresses --flows 127.0.0.1:2055 --flow-form ipfix

The control port takes JSON lines while the lab runs, for example
{"op": "inject", "router": "lab-0001", "kind": "black-hole", "for_s": 10}
"""


@click.command(help=_HELP)
@click.option(
    "--scenario",
    "-s",
    default="steady",
    show_default=True,
    metavar="NAME|FILE",
    help="A scenario that comes with the lab (see --list), or a TOML file of your own.",
)
@click.option(
    "--routers", "-n", type=click.IntRange(0, 20_000), help="How many routers in the scenario's fleet."
)
@click.option("--interfaces", "-i", type=click.IntRange(1, 4000), help="Interfaces of each router.")
@click.option("--seed", type=int, help="Other seed, other values.")
@click.option(
    "--base-port",
    type=click.IntRange(1, 65535),
    help="First port; router after router takes the next one. Default: any free ports.",
)
@click.option(
    "--state-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write endpoints, epoch, scenario and control port here, as JSON, once all ports are open.",
)
@click.option("--syslog", metavar="HOST:PORT", help="Have all routers send their logs there, over UDP.")
@click.option("--traps", metavar="HOST:PORT", help="Have all routers send their SNMP traps there.")
@click.option("--flows", metavar="HOST:PORT", help="Have all routers send flows there, over UDP.")
@click.option(
    "--flow-form",
    type=click.Choice([form.value for form in FlowForm]),
    help="How flows are sent. Default: netflow9, or as the scenario says.",
)
@click.option(
    "--flow-rate",
    type=click.FloatRange(min=0, min_open=True, max=1_000_000),
    help="Flows a second of each router. Default: 100, or as the scenario says.",
)
@click.option(
    "--own-addresses",
    is_flag=True,
    help="Give each router a loopback address of its own, 127.64.0.1 and so on, so that who receives logs, traps or flows can tell them apart.",
)
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop by itself after so long.")
@click.option("--list", "list_only", is_flag=True, help="List the scenarios that come with the lab.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: the state at the start, statistics at the end."
)
def lab(
    scenario: str,
    base_port: int | None,
    state_file: Path | None,
    seconds: float | None,
    list_only: bool,
    as_json: bool,
    **changes: Any,
) -> None:
    """Run a lab until Ctrl-C, or list the scenarios."""
    if list_only:
        _list(as_json=as_json)
        return
    console = Console()

    def started(running: Lab) -> None:
        if as_json:
            _print_json(running.state())
        else:
            _show(console, running)

    try:
        chosen = _changed(scenarios.load(scenario), **changes)
        finished = run(
            lambda: Lab(chosen, base_port=base_port), started, state_file=state_file, seconds=seconds
        )
    except (Misconfigured, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        _print_json({"stats": finished.stats()})
    else:
        answers = sum(router.state.stats.answers for router in finished.routers.values())
        console.print(f"Lab stopped. It gave {answers:,} answers.")


def _changed(
    scenario: Scenario,
    routers: int | None,
    interfaces: int | None,
    seed: int | None,
    *,
    syslog: str | None,
    traps: str | None,
    own_addresses: bool,
    **flows: Any,
) -> Scenario:
    chosen = scenario.resized(routers, interfaces)
    if seed is not None:
        chosen.seed = seed
    if own_addresses:
        chosen.own_addresses = True
    if syslog is not None:
        chosen = chosen.sending(syslog)
    if traps is not None:
        chosen = chosen.trapping(traps)
    return _exporting(chosen, **flows)


def _exporting(
    scenario: Scenario, flows: str | None, flow_form: str | None, flow_rate: float | None
) -> Scenario:
    if flows is None:
        return scenario
    return scenario.exporting(flows, None if flow_form is None else FlowForm(flow_form), flow_rate)


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _list(*, as_json: bool) -> None:
    found = {name: scenarios.load(name).description for name in scenarios.shipped()}
    if as_json:
        _print_json(found)
        return
    table = Table(title="Scenarios", title_justify="left")
    table.add_column("name", style="bold")
    table.add_column("what happens")
    for name, description in found.items():
        table.add_row(name, description)
    Console().print(table)


def _show(console: Console, running: Lab) -> None:
    endpoints = running.endpoints
    table = Table(title=f"Lab: {running.scenario.name}, {len(endpoints)} routers", title_justify="left")
    for heading in ("router", "RouterOS", "address", "TLS", "inter-\nfaces", "user", "password"):
        # What people copy stays whole on a screen of 80 columns.
        table.add_column(heading, no_wrap=heading in ("address", "password"))
    for item in endpoints[:_SHOWN_ROUTERS]:
        address = f"{item.host}:{item.port}"
        table.add_row(
            item.name, item.version, address, item.tls, str(item.interfaces), item.username, item.password
        )
    console.print(table)
    if len(endpoints) > _SHOWN_ROUTERS:
        last = endpoints[-1]
        console.print(
            f"... and {len(endpoints) - _SHOWN_ROUTERS} more, up to {last.name} at port {last.port}"
        )
    console.print(f"Control door: {running.host}:{running.control_port}. Ctrl-C stops the lab.")
