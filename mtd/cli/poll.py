"""``mtd poll HOST``: live values of one router, without any database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.live import Live
from rich.table import Table

from mtd.cli.output import console, explain_errors, json_option, print_json
from mtd.core.aio import as_deferred, install_reactor
from mtd.model.device import DEFAULT_TENANT_ID, Device, InterfaceNaming, TlsMode

if TYPE_CHECKING:
    from mtd.app.direct import DirectPoll
    from mtd.model.observation import ProbeFacts


def login_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options that tell how to log in to a router."""
    options = [
        click.option("--port", type=click.IntRange(1, 65535), help="TCP port. Default: 8728, with TLS 8729."),
        click.option("--user", "username", required=True, help="RouterOS user; one with the policies read and api is enough."),
        click.option(
            "--password",
            envvar="MTD_PASSWORD",
            help="Password; better in the environment variable MTD_PASSWORD or a file. Asked for if not given.",
        ),
        click.option(
            "--password-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="File that holds the password."
        ),
        click.option(
            "--tls",
            "tls_mode",
            type=click.Choice([mode.value for mode in TlsMode]),
            default=TlsMode.OFF.value,
            show_default=True,
            help="Transport security: off; verify (trusted CA); pinned (by --fingerprint); "
            "anonymous (API-SSL without a certificate); insecure (any certificate).",
        ),
        click.option("--fingerprint", default="", help="SHA-256 fingerprint of the router's certificate, for --tls pinned."),
        click.option(
            "--naming",
            type=click.Choice([naming.value for naming in InterfaceNaming]),
            default=InterfaceNaming.NAME.value,
            show_default=True,
            help="How interfaces are labelled.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def read_password(password: str | None, password_file: Path | None) -> str:
    """Return the password from wherever it was given; ask for it otherwise."""
    if password_file is not None:
        return password_file.read_text(encoding="utf-8").strip("\r\n")
    if password is not None:
        return password
    answer: str = click.prompt("Password", hide_input=True, default="", show_default=False, err=True)
    return answer


@click.command()
@click.argument("host")
@login_options
@click.option("--interval", "interval_s", type=click.FloatRange(0.2, 3600), default=1.0, show_default=True, help="Seconds between polls.")
@click.option("--count", type=click.IntRange(1), help="Stop after so many polls. Default: go on until Ctrl-C.")
@json_option
@explain_errors
def poll(
    host: str,
    port: int | None,
    username: str,
    password: str | None,
    password_file: Path | None,
    tls_mode: str,
    fingerprint: str,
    naming: str,
    interval_s: float,
    count: int | None,
    as_json: bool,
) -> None:
    """Print live values of the router HOST, with no daemon and no database.

    It logs in once, keeps the session, and reads what the T0 tier reads. With
    --json, each poll is one line.
    """
    mode = TlsMode(tls_mode)
    device = Device(
        device_id="",
        tenant_id=DEFAULT_TENANT_ID,
        name=host,
        host=host,
        port=port or (8728 if mode is TlsMode.OFF else 8729),
        username=username,
        password=read_password(password, password_file),
        tls_mode=mode,
        tls_fingerprint=fingerprint,
        naming=InterfaceNaming(naming),
    )
    run_on_reactor(_poll(device, interval_s, count, as_json))


def run_on_reactor(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on a reactor of its own, until it ends or Ctrl-C; raise what it raised."""
    install_reactor()
    from twisted.internet import reactor
    from twisted.python.failure import Failure

    failures: list[Failure] = []

    def begin() -> None:
        task = asyncio.ensure_future(work)
        deferred = as_deferred(_await(task))
        deferred.addErrback(failures.append)
        deferred.addBoth(lambda _: reactor.stop() if reactor.running else None)  # type: ignore[attr-defined]
        reactor.addSystemEventTrigger("before", "shutdown", task.cancel)  # type: ignore[attr-defined]

    reactor.callWhenRunning(begin)  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    if failures and not failures[0].check(asyncio.CancelledError):
        raise failures[0].value


async def _await(task: asyncio.Task[None]) -> None:
    await task


async def _poll(device: Device, interval_s: float, count: int | None, as_json: bool) -> None:
    from mtd.app.direct import DirectPoller
    from mtd.plugin.manager import PluginManager

    poller = DirectPoller(device, PluginManager.load())
    try:
        facts = await poller.open()
        number = 0
        with Live(console=console, auto_refresh=False, transient=False) as live:
            async for result in poller.polls(interval_s):
                number += 1
                if as_json:
                    values = {reading.key: reading.value for reading in result.readings}
                    print_json({"collected_us": result.collected_us, "duration_s": result.duration_s, "values": values})
                else:
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
    title = f"{facts.identity} ({device.host})  RouterOS {facts.routeros_version}  {facts.board_name}"
    table = Table("Interface", "State", "rx", "tx", "rx p/s", "tx p/s", "rx err/s", "rx drop/s", title=title)
    for label, values in sorted(interfaces.items()):
        running = values.get("oper_state")
        state = "" if running is None else ("[green]up[/]" if running else "[red]down[/]")
        cells = [_rate(values.get("rx_bps")), _rate(values.get("tx_bps"))]
        cells += ["" if values.get(name) is None else f"{values[name]:,.0f}" for name in _COLUMNS[2:]]
        table.add_row(label, state, *cells)
    system = {reading.metric: reading.value for reading in result.readings if not reading.label}
    table.caption = "   ".join(f"{key.removeprefix('system.')} {value:,.0f}" for key, value in sorted(system.items()))
    return table


def _rate(bits_per_second: float | None) -> str:
    """Return a rate for people: "12.3 Mb/s"; nothing where there is none."""
    if bits_per_second is None:
        return ""
    for unit in ("b/s", "kb/s", "Mb/s"):
        if bits_per_second < 1000:  # noqa: PLR2004
            return f"{bits_per_second:,.1f} {unit}"
        bits_per_second /= 1000
    return f"{bits_per_second:,.1f} Gb/s"
