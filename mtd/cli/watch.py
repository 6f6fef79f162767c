"""``mtd watch`` and ``mtd events``: what the daemon knows, as it comes."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.live import Live
from rich.table import Table

from mtd.cli.connection import Connection
from mtd.cli.output import (
    console,
    explain_errors,
    format_rate,
    json_option,
    plain,
    print_json,
    server_option,
)
from mtd.client import MtdClient
from mtd.client.live import Sample
from mtd.client.values import Event

if TYPE_CHECKING:
    from typing import Self

_REDRAW_S = 0.5
_GIVE_UP_AFTER_S = 15.0
_SEVERITY_STYLE = {"warning": "yellow", "critical": "bold red"}

device_option = click.option(
    "--device", "-d", "devices", multiple=True, help="Device by name or id; * and ? are wildcards."
)
metric_option = click.option(
    "--metric",
    "-m",
    "metrics",
    multiple=True,
    help="Metric by catalogue key (iface.rx_bps) or full key (iface.ether1.rx_bps); * and ? are wildcards.",
)


@click.command()
@device_option
@metric_option
@click.option(
    "--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so long. Default: Ctrl-C."
)
@server_option
@json_option
@explain_errors
def watch(
    devices: tuple[str, ...],
    metrics: tuple[str, ...],
    seconds: float | None,
    server: Connection,
    as_json: bool,
) -> None:
    """Show live values as they come, through the whole way: router, log, PostgreSQL, gRPC.

    \b
    mtd watch                                       a summary of every device
    mtd watch -d core-1 -m 'iface.*bps'             traffic of one router
    mtd watch -m system.cpu.load_pct --json         one line per value, for scripts
    """
    wanted = metrics or (() if as_json else SUMMARY)
    patience_s = _GIVE_UP_AFTER_S if seconds is None else min(_GIVE_UP_AFTER_S, seconds / 2)
    with server.client() as client, _closing_after(seconds, client):
        client.list_metrics()  # a daemon that isn't there is told at once; one that goes away is waited for
        try:
            if as_json:
                _print_samples(client.watch(devices=devices, metrics=wanted, give_up_after_s=patience_s))
                return
            with Screen(_values_table if metrics else summary_table) as screen:
                samples = client.watch(
                    devices=devices, metrics=wanted, give_up_after_s=patience_s, on_gone=screen.forget
                )
                for sample in samples:
                    screen.show(sample)
        except KeyboardInterrupt:
            pass  # the way to end it


@contextmanager
def _closing_after(seconds: float | None, client: MtdClient) -> Iterator[None]:
    """Close a client after some time, which ends its streams, also those that bring nothing."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, client.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


SUMMARY = (
    "system.cpu.load_pct",
    "system.memory.*_bytes",
    "system.uptime_seconds",
    "iface.rx_bps",
    "iface.tx_bps",
    "iface.oper_state",
)
_Series = tuple[str, str, str]
"""Device id, metric, instance: what stays when a device or an interface is renamed."""
_Values = dict[_Series, Sample]
_Render = Callable[[_Values], Table]


def _print_samples(samples: Iterator[Sample]) -> None:
    for sample in samples:
        value = sample.value if sample.value_int is None else sample.value_int
        print_json(
            {
                "device": sample.device,
                "key": sample.key,
                "metric": sample.metric,
                "instance": sample.instance,
                "unit": sample.unit,
                "value": value,
                "collected_at": sample.collected_at.isoformat(),
            }
        )


class Screen:
    """The newest values as a table, drawn a few times a second."""

    def __init__(self, render: _Render) -> None:
        self._render = render
        self._values: _Values = {}
        self._drawn = 0.0
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._draw()
        self._live.stop()

    def show(self, sample: Sample) -> None:
        """Take a value."""
        self._values[sample.device_id, sample.metric, sample.instance] = sample
        if time.monotonic() - self._drawn >= _REDRAW_S:
            self._draw()

    def forget(self, device_id: str) -> None:
        """Take a device away: it was removed, and nothing more will come to say so."""
        for key in [key for key, sample in self._values.items() if sample.device_id == device_id]:
            del self._values[key]
        self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        self._live.update(self._render(self._values), refresh=True)


def _values_table(values: _Values) -> Table:
    table = Table("Device")
    table.add_column("Metric", no_wrap=True, overflow="fold")
    for name in ("Value", "Unit", "Age"):
        table.add_column(name)
    now = dt.datetime.now(dt.UTC)
    shown = sorted(values.values(), key=lambda sample: (sample.device, sample.key))
    for sample in shown[: console.height - 6]:
        value = f"{sample.value:,.2f}" if sample.value_int is None else f"{sample.value_int:,}"
        age = (now - sample.collected_at).total_seconds()
        table.add_row(plain(sample.device), plain(sample.key), value, plain(sample.unit), f"{age:.1f} s")
    hidden = len(values) - table.row_count
    if hidden > 0:
        table.caption = f"{hidden} more; choose with --device and --metric"
    return table


def summary_table(values: _Values) -> Table:
    """Return a line per device from the newest samples of SUMMARY."""
    table = Table("Device", "CPU", "Memory used", "Links up", "rx", "tx", "Age")
    by_device: dict[str, list[Sample]] = {}
    for sample in values.values():
        by_device.setdefault(sample.device, []).append(sample)
    now = dt.datetime.now(dt.UTC)
    for device, samples in sorted(by_device.items())[: console.height - 6]:
        system = {sample.metric: sample.value for sample in samples if not sample.instance}
        links = [sample.value for sample in samples if sample.metric == "iface.oper_state"]
        age = (now - max(sample.collected_at for sample in samples)).total_seconds()
        table.add_row(
            plain(device),
            _percent(system.get("system.cpu.load_pct")),
            _percent(_used_pct(system)),
            f"{sum(1 for up in links if up)}/{len(links)}",
            format_rate(sum(sample.value for sample in samples if sample.metric == "iface.rx_bps")),
            format_rate(sum(sample.value for sample in samples if sample.metric == "iface.tx_bps")),
            f"[{'red' if age > 5 else 'green'}]{age:.1f} s[/]",
        )
    if len(by_device) > table.row_count:
        table.caption = f"{len(by_device) - table.row_count} more devices"
    return table


def _used_pct(system: dict[str, float]) -> float | None:
    free, total = system.get("system.memory.free_bytes"), system.get("system.memory.total_bytes")
    return None if free is None or not total else 100.0 * (1.0 - free / total)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} %"


def _seen_by(event: Event) -> str:
    """Return who saw an event, and who how long after the first: "  (syslog, poll 12.3 s later)"."""
    words = [
        plain(one.source) + (f" {one.after_first_s:.1f} s later" if number else "")
        for number, one in enumerate(event.evidences)
    ]
    return f"  [dim]({', '.join(words)})[/]" if words else ""


@click.command()
@device_option
@click.option("--follow", "-f", is_flag=True, help="Go on with new events, until Ctrl-C.")
@click.option(
    "--severity",
    type=click.Choice(["info", "warning", "critical"]),
    default="info",
    show_default=True,
    help="Lowest severity.",
)
@click.option("--after", "after_position", type=int, default=0, help="Only events after this position.")
@server_option
@json_option
@explain_errors
def events(
    devices: tuple[str, ...],
    follow: bool,
    severity: str,
    after_position: int,
    server: Connection,
    as_json: bool,
) -> None:
    """Print what happened: links, reboots, failed polls, changes of capabilities.

    In brackets, who saw it: a poll, a line of the router's log (syslog), or both.
    """
    with server.client() as client:
        client.list_metrics()  # a daemon that isn't there is told at once; one that goes away is waited for
        found = client.events(
            after_position=after_position,
            devices=devices,
            min_severity=severity,
            until_now=not follow,
            give_up_after_s=_GIVE_UP_AFTER_S,
        )
        try:
            for event in found:
                if as_json:
                    print_json(event)
                    continue
                style = _SEVERITY_STYLE.get(event.severity, "default")
                moment = event.collected_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
                console.print(
                    f"{moment} [{style}]{event.severity:8}[/] {plain(event.device_name):12} {plain(event.message)}"
                    f"{_seen_by(event)}"
                )
        except KeyboardInterrupt:
            pass  # the way to end it
